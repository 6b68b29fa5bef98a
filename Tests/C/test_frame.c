/* The frame header: its bytes, and its checksum against the definition of CRC-16/XMODEM. */
#include "read_support.h"

#include "frame.h"

static uint16_t crc_by_definition(const uint8_t *bytes, size_t count) {
    uint16_t crc = 0;
    for (size_t i = 0; i < count; i++) {
        crc ^= (uint16_t)(bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++) crc = (uint16_t)(crc & 0x8000 ? (crc << 1) ^ 0x1021 : crc << 1);
    }
    return crc;
}

static void crc_has_the_published_check_value(void **state) {
    (void)state;
    const uint8_t message[10] = {0, '1', '2', '3', '4', '5', '6', '7', '8', '9'}; /* a leading zero adds nothing */
    assert_int_equal(cvgi_frame_crc(message), 0x31C3);
}

static void crc_of_every_byte_at_every_place(void **state) {
    (void)state;
    for (int place = 0; place < 10; place++)
        for (int value = 0; value < 256; value++) {
            uint8_t message[10] = {0};
            message[place] = (uint8_t)value;
            assert_int_equal(cvgi_frame_crc(message), crc_by_definition(message, 10));
        }
}

static void crc_of_random_headers(void **state) {
    (void)state;
    uint64_t seed = 1;
    for (int i = 0; i < 100000; i++) {
        uint8_t message[16];
        cvgi_store64(message, test_random(&seed));
        cvgi_store64(message + 8, test_random(&seed));
        assert_int_equal(cvgi_frame_crc(message), crc_by_definition(message, 10));
    }
}

static void header_bytes(void **state) {
    (void)state;
    uint8_t header[14];
    memset(header, 0xEE, sizeof header);
    cvgi_frame_header(header + 1, 0x1234, CVGI_OPCODE_STATE, 0x00A1B2C3);
    const uint8_t expected[10] = {1, 0, 0x34, 0x12, 0x81, 0x00, 0xC3, 0xB2, 0xA1, 0x00};
    assert_memory_equal(header + 1, expected, 10);
    const uint16_t crc = crc_by_definition(expected, 10);
    assert_int_equal(header[11], crc & 0xFF);
    assert_int_equal(header[12], crc >> 8);
    assert_int_equal(header[0], 0xEE);
    assert_int_equal(header[13], 0xEE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_has_the_published_check_value),
        cmocka_unit_test(crc_of_every_byte_at_every_place),
        cmocka_unit_test(crc_of_random_headers),
        cmocka_unit_test(header_bytes),
    };
    return cmocka_run_group_tests_name("frame", tests, NULL, NULL);
}
