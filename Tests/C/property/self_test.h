/* self_test.h - the model against results worked out by hand; ends the process if the model itself is wrong. */
#ifndef CONVERGE_PROPERTY_SELF_TEST_H
#define CONVERGE_PROPERTY_SELF_TEST_H
void model_self_test(void);
#endif
