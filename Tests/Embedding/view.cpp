// An in-memory view of services, in C++17: an engine that cannot leak, operations that outlive their window's bound,
// and the same story as view.c told through them.
#include <converge.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

// ------------------------------------------------------------------------------------------------------- the wrapper

namespace converge {

struct error : std::runtime_error {
    int status;
    explicit error(int status) : std::runtime_error(cvg_status_text(status)), status(status) {}
};
inline void check(int status) {
    if (status != CVG_OK) throw error(status);
}

class catchup {
    struct end {
        cvg_engine *engine;
        void operator()(cvg_catchup *c) const { cvg_catchup_end(engine, c); }
    };
    std::unique_ptr<cvg_catchup, end> handle;

  public:
    catchup(cvg_engine *engine, uint16_t kind, cvg_class klass) : handle(nullptr, end{engine}) {
        cvg_catchup *begun = nullptr;
        check(cvg_catchup_begin(engine, kind, klass, &begun));
        handle.reset(begun);
    }
    cvg_catchup_progress step(size_t budget, cvg_slices &slices) {
        cvg_catchup_progress progress;
        check(cvg_catchup_step(handle.get_deleter().engine, handle.get(), budget, &slices, &progress));
        return progress;
    }
};

class engine {
    std::unique_ptr<cvg_engine, decltype(&cvg_engine_destroy)> handle{nullptr, cvg_engine_destroy};

  public:
    explicit engine(const cvg_options &options = {}) {
        cvg_engine *created = nullptr;
        check(cvg_engine_create(&options, &created));
        handle.reset(created);
    }
    void create(uint16_t kind, const std::vector<cvg_field> &fields) {
        const cvg_definition definition{fields.data(), static_cast<uint16_t>(fields.size()), 1};
        check(cvg_kind_create(handle.get(), kind, &definition));
    }
    // Closes the window and shows what it changed to `see(batch)`; false: nothing was pending.
    template <class See> bool flush(See see) {
        const cvg_batch *batch = nullptr;
        const int status = cvg_seal(handle.get(), &batch);
        if (status == CVG_E_EMPTY) return false;
        check(status);
        see(batch);
        cvg_install(handle.get(), batch);
        return true;
    }
    // Applies everything, flushing whenever the window is full. Returns what was refused, in order.
    template <class See> std::vector<cvg_refusal> apply(const std::vector<cvg_op> &ops, See see) {
        std::vector<cvg_refusal> refused;
        for (size_t done = 0; done < ops.size();) {
            std::array<cvg_refusal, 16> some;
            cvg_applied applied;
            const int status =
                cvg_apply(handle.get(), ops.data() + done, ops.size() - done, some.data(), some.size(), &applied);
            for (size_t i = 0; i < applied.refused; i++) {
                refused.push_back(some[i]);
                refused.back().index += static_cast<uint32_t>(done);
            }
            done += applied.consumed;
            if (status == CVG_E_PENDING)
                flush(see);
            else
                check(status);
        }
        return refused;
    }
    cvg_row query(uint16_t kind, const uint8_t *id) const {
        cvg_row row;
        check(cvg_query(handle.get(), kind, id, &row));
        return row;
    }
    catchup bootstrap(uint16_t kind) { return {handle.get(), kind, cvg_class{1, 0}}; }
    cvg_engine *get() const { return handle.get(); }
};

} // namespace converge

// ---------------------------------------------------------------------------------------------------------- its use

namespace {

constexpr uint16_t Service = 1;
constexpr uint32_t FixedBytes = 2 + 1 + 4; // load u16, healthy bool, address: its length u32
constexpr uint8_t Registry = 1, Health = 7;

[[noreturn]] void fail(int line, const char *what) {
    std::fprintf(stderr, "view.cpp:%d: not so: %s\n", line, what);
    std::exit(1);
}
#define CHECK(condition) ((condition) ? void(0) : fail(__LINE__, #condition))

using Id = std::array<uint8_t, CVG_ID_BYTES>;

Id id_of(std::string_view name) {
    Id id{};
    std::memcpy(id.data(), name.data(), name.size());
    return id;
}

struct Value {
    uint16_t load;
    bool healthy;
    std::string address;
    bool operator==(const Value &o) const { return load == o.load && healthy == o.healthy && address == o.address; }
};

std::string encode(const Value &value) {
    std::string data(FixedBytes, '\0');
    const auto bytes = static_cast<uint32_t>(value.address.size());
    std::memcpy(&data[0], &value.load, 2);
    data[2] = value.healthy;
    std::memcpy(&data[3], &bytes, 4);
    return data + value.address;
}

Value decode(const uint8_t *fixed, const uint8_t *variable, size_t variable_bytes) {
    Value value{};
    std::memcpy(&value.load, fixed, 2);
    value.healthy = fixed[2] != 0;
    if (variable_bytes > 0) value.address.assign(reinterpret_cast<const char *>(variable), variable_bytes);
    return value;
}
Value decode(const cvg_data &data) {
    return decode(data.fixed, data.variable, data.variable_bytes);
}

using View = std::map<std::string, std::pair<uint64_t, Value>>;

std::string name_of(const uint8_t *id) {
    return reinterpret_cast<const char *>(id);
}

// What a batch changed, into the view.
auto into(View &view) {
    return [&view](const cvg_batch *batch) {
        for (size_t i = 0; i < cvg_batch_changes(batch, Service); i++) {
            cvg_change change;
            cvg_batch_change(batch, Service, i, &change);
            if (change.what == CVG_DELETED)
                view.erase(name_of(change.id));
            else
                view[name_of(change.id)] = {change.version, decode(change.data)};
        }
    };
}

void read_frames(View &view, const cvg_slices &slices) {
    for (size_t i = 0; i < slices.count; i++) {
        const uint8_t *at = slices.items[i].segment->bytes + slices.items[i].offset;
        for (uint32_t n = 0; n < slices.items[i].frames; n++) {
            uint32_t payload, fixed_bytes, data_bytes;
            uint64_t version;
            std::memcpy(&payload, at + 6, 4);
            std::memcpy(&version, at + 52, 8);
            const std::string name = name_of(at + 20);
            const auto held = view.find(name);
            if (held == view.end() || version >= held->second.first) {
                if (at[4] == 0x81) { // STATE
                    std::memcpy(&fixed_bytes, at + 76, 4);
                    std::memcpy(&data_bytes, at + 80, 4);
                    view[name] = {version, decode(at + 84, at + 84 + fixed_bytes, data_bytes - fixed_bytes)};
                } else {
                    view.erase(name);
                }
            }
            at += 12 + payload;
        }
    }
}

// Operations with everything that they point to.
class Writes {
    struct Owned {
        Id id;
        std::string data;
    };
    std::vector<std::unique_ptr<Owned>> owned;

  public:
    std::vector<cvg_op> ops;
    void add(cvg_code code, uint8_t source, std::string_view name, std::string data = {}, uint64_t mask = 0) {
        owned.push_back(std::make_unique<Owned>(Owned{id_of(name), std::move(data)}));
        cvg_op op{};
        op.id = owned.back()->id.data();
        op.data = reinterpret_cast<const uint8_t *>(owned.back()->data.data());
        op.data_bytes = static_cast<uint32_t>(owned.back()->data.size());
        op.mask = mask;
        op.kind = Service;
        op.code = code;
        op.source = source;
        op.schema = 1;
        ops.push_back(op);
    }
};

void run() {
    cvg_options options{};
    options.hash_seed = 1;
    options.pending_bytes_max = 16 << 10;
    converge::engine engine(options);
    std::vector<cvg_field> fields(3);
    fields[0].type = CVG_U16;
    fields[1].type = CVG_BOOL;
    fields[1].owners = 1ull << Health;
    fields[2].type = CVG_VARSTRING;
    fields[2].max = 200;
    engine.create(Service, fields);
    try {
        engine.create(Service, fields);
        fail(__LINE__, "a kind was created twice");
    } catch (const converge::error &error) { CHECK(error.status == CVG_E_EXISTS); }

    View view;
    std::puts("1,000 services through windows of 16 KiB");
    Writes writes;
    for (int i = 0; i < 1000; i++)
        writes.add(CVG_ASSERT, Registry, "node-" + std::to_string(i),
                   encode({static_cast<uint16_t>(i), false, "10.0.0." + std::to_string(i)}));
    CHECK(engine.apply(writes.ops, into(view)).empty());
    engine.flush(into(view));
    cvg_stats stats;
    cvg_stats_read(engine.get(), &stats);
    CHECK(view.size() == 1000 && stats.entities == 1000 && stats.flushes > 1 && stats.pending_bytes_peak <= 16 << 10);
    std::printf("  %llu flushes\n", static_cast<unsigned long long>(stats.flushes));

    std::puts("patches, one refused; a retraction");
    Writes more;
    more.add(CVG_PATCH, Health, "node-7", std::string(1, '\1'), 1 << 1);
    more.add(CVG_PATCH, Registry, "node-8", std::string(1, '\1'), 1 << 1);
    more.add(CVG_PATCH, Registry, "node-9", std::string("\x0c\0\0\0gateway.home", 16), 1 << 2);
    more.add(CVG_RETRACT, Registry, "node-10");
    const auto refused = engine.apply(more.ops, into(view));
    CHECK(refused.size() == 1 && refused[0].index == 1 && refused[0].status == CVG_E_NOT_OWNER &&
          refused[0].field == 1);
    std::printf("  write %u refused: %s\n", refused[0].index, cvg_status_text(refused[0].status));
    CHECK(engine.flush(into(view)) && !engine.flush(into(view)));
    CHECK((view.at("node-7") == std::make_pair(uint64_t{2}, Value{7, true, "10.0.0.7"})));
    CHECK((view.at("node-9").second == Value{9, false, "gateway.home"}));
    CHECK(view.size() == 999);

    std::puts("queries");
    const cvg_row row = engine.query(Service, id_of("node-9").data());
    CHECK(row.presence == CVG_ALIVE && row.version == 2 && decode(row.data) == view.at("node-9").second);
    CHECK(engine.query(Service, id_of("node-10").data()).presence == CVG_TOMBSTONE);

    std::puts("a second view, by catch-up, while writes go on");
    View fed;
    unsigned steps = 0;
    {
        converge::catchup catchup = engine.bootstrap(Service);
        for (cvg_catchup_progress progress{}; !progress.live; steps++) {
            cvg_slices slices;
            progress = catchup.step(8 << 10, slices);
            read_frames(fed, slices);
            if (steps % 3 != 0 || steps > 9) continue;
            Writes change;
            change.add(CVG_ASSERT, Registry, "node-" + std::to_string(steps), encode({999, false, "moved.example"}));
            change.add(CVG_RETRACT, Registry, "node-" + std::to_string(900 + steps));
            engine.apply(change.ops, into(view));
            engine.flush(into(view));
        }
    }
    cvg_stats_read(engine.get(), &stats);
    CHECK(steps > 10 && fed == view && view.size() == stats.entities && stats.catchups == 0);
    std::printf("  %u steps, %zu services, equal\n", steps, fed.size());
}

} // namespace

int main() {
    std::setvbuf(stdout, nullptr, _IOLBF, BUFSIZ);
    try {
        run();
    } catch (const std::exception &error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
}
