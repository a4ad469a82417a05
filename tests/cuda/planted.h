/* tests/cuda/planted.h - kernels that each have one defect, and twins that lack it, for the test of races.h. */
#ifndef NAB_TESTS_CUDA_PLANTED_H
#define NAB_TESTS_CUDA_PLANTED_H

struct planted {
	const char *name; /* of the kernel */
	const char *says; /* part of what the defect's message says; NULL: there is no such defect, both are sound */
	int (*run)(int sound); /* 0, or the launch's error */
};

/* The symbol "planted" of planted.so: ended by a row without a name. */
typedef const struct planted planted_table[];

#endif
