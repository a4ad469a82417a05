/* How the number that models are judged by is named and written: report/metric.h. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/metric.h"

static void the_task_names_it(void **state)
{
	const struct metric *accuracy = metric_of_task(TASK_CLASSIFY), *value = metric_of_task(TASK_REGRESS);

	(void)state;
	assert_string_equal(accuracy->name, "accuracy");
	assert_string_equal(value->name, "R2");
	assert_true(accuracy->share && !value->share);
	assert_ptr_equal(metric_of_info("{\"task\": \"regression\"}"), value);
	assert_ptr_equal(metric_of_info("{\"task\": \"classification\"}"), accuracy);
	assert_ptr_equal(metric_of_info("{\"classes\": []}"), accuracy); /* of an older nab */
	assert_ptr_equal(metric_of_info("{\"task\": 3}"), accuracy);
	assert_ptr_equal(metric_of_info("no JSON"), accuracy);
	assert_ptr_equal(metric_of_info(NULL), accuracy);
}

static void numbers(void **state)
{
	const struct metric *accuracy = metric_of_task(TASK_CLASSIFY), *value = metric_of_task(TASK_REGRESS);
	char buf[METRIC_TEXT], both[METRIC_INTERVAL];

	(void)state;
	assert_string_equal(metric_number(buf, accuracy, 0.91254), "91.25");
	assert_string_equal(metric_text(buf, accuracy, 0.91254), "91.25 %");
	assert_string_equal(metric_change(buf, accuracy, 0.0052), "+0.52");
	assert_string_equal(metric_number(buf, value, 0.91254), "0.913");
	assert_string_equal(metric_text(buf, value, -1.5), "-1.500");
	assert_string_equal(metric_change(buf, value, 0.0052), "+0.005");
	assert_string_equal(metric_interval(both, accuracy, 0.9, 0.999), "[90.00, 99.90]");
	assert_string_equal(metric_change_interval(both, value, -0.01, 0.02), "[-0.010, +0.020]");
}

static void extremes(void **state)
{
	const struct metric *accuracy = metric_of_task(TASK_CLASSIFY), *value = metric_of_task(TASK_REGRESS);
	char buf[METRIC_TEXT], both[METRIC_INTERVAL];

	(void)state;
	assert_string_equal(metric_number(buf, accuracy, -0.00004), "0.00");
	assert_string_equal(metric_change(buf, value, -0.0004), "+0.000");
	assert_string_equal(metric_text(buf, accuracy, (double)NAN), "");
	assert_string_equal(metric_change(buf, value, (double)NAN), "");
	assert_string_equal(metric_interval(both, value, (double)NAN, 1), "");
	assert_string_equal(metric_text(buf, value, -1e300), "-1e+300");
	assert_string_equal(metric_text(buf, value, -INFINITY), "-inf");
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(the_task_names_it), cmocka_unit_test(numbers),
					    cmocka_unit_test(extremes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
