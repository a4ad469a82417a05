/* arch/kinds.h - the options of every layer kind, for those who must read them: the oracle, backends, exporters,
 * charts. After the shape rule has run, everything is explicit: paddings are numbers, nothing is implied.
 */
#ifndef NAB_ARCH_KINDS_H
#define NAB_ARCH_KINDS_H

#include <stdbool.h>

#include "arch/layer.h"
#include "base/opt.h"

struct conv2d { /* weight [filters][channels / groups][kh][kw], bias [filters] */
	int filters, groups;
	struct opt_pair kernel, stride, dilation;
	struct opt_pad padding;
	bool bias;
	int init;
};

struct conv1d { /* weight [filters][channels / groups][kernel], bias [filters]; padding.side[1], [3]: before, after */
	int filters, groups, kernel, stride, dilation;
	struct opt_pad padding;
	bool bias;
	int init;
};

struct depthwise2d { /* weight [multiplier * channels][1][kh][kw]; output channel o reads input o / multiplier */
	int multiplier;
	struct opt_pair kernel, stride, dilation;
	struct opt_pad padding;
	bool bias;
	int init;
};

struct dense { /* weight [units][features], bias [units] */
	int units;
	bool bias;
	int init;
};

struct pool2d { /* maxpool2d, avgpool2d. stride 0 is written as size. Padding never wins a maximum. */
	struct opt_pair size, stride;
	struct opt_pad padding;
	bool ceil;      /* round the output size up (PyTorch's ceil_mode) */
	bool count_pad; /* avgpool2d: padding counts in the divisor (PyTorch's count_include_pad) */
};

struct pool1d { /* maxpool1d, avgpool1d; padding.side[1], [3]: before, after */
	int size, stride;
	struct opt_pad padding;
	bool ceil, count_pad;
};

/* The window of a pooling layer of any of the four kinds; 1-D ones are 2-D ones of one row. */
struct pool2d pool_as_2d(enum layer_kind kind, const void *cfg);

struct batchnorm { /* weight, bias (if affine), running_mean, running_var; per channel over batch and positions */
	double eps;
	double momentum; /* share by which the running statistics move to the batch's: PyTorch's sense. The running
			    variance is the unbiased one (n / (n - 1)), the normalising one biased, as in PyTorch */
	bool affine;
};

struct layernorm { /* weight, bias of the normalised shape. vector: [features]; image: [c][h][w]; sequence: [channels]
		      at each step */
	double eps;
	bool affine;
};

struct groupnorm { /* weight, bias [channels]; images and sequences (full ones) */
	int groups;
	double eps;
	bool affine;
};

struct dropout { /* survivors are scaled by 1 / (1 - rate) */
	double rate;
};

struct leaky_relu {
	double slope;
};

struct elu {
	double alpha;
};

struct gelu {
	bool approximate; /* the tanh form */
};

struct reshape { /* 3 numbers: an image, 2: a sequence, 1: a vector; one of them may be -1 */
	struct opt_ints shape;
};

struct zeropad2d {
	struct opt_pad padding;
};

struct upsample2d {
	struct opt_pair factor;
	int mode; /* 0 nearest, 1 bilinear (align_corners = false) */
};

struct zero { /* a zero tensor of the input's shape; stride as in NAS-Bench-201's none */
	int stride;
};

struct embedding { /* weight [vocabulary][features]; tokens -> sequence */
	int vocabulary, features;
};

struct rnn { /* rnn, gru, lstm: weight_ih_l0 [g * units][channels], weight_hh_l0 [g * units][units], bias_ih_l0,
		bias_hh_l0 [g * units]; with "_reverse" for the second direction. Gate order: lstm i, f, g, o; gru r, z,
		n (PyTorch's; gru applies the reset gate after the product). Ports: out, state (the last hidden state),
		cell (lstm). */
	int units;
	bool bidirectional;
	int merge;      /* bidirectional: 0 concat (forward first), 1 add */
	int last;       /* 0 sequence: out is a sequence; 1 last: out is a vector, the last valid step of the forward
			   direction       and the first step of the backward one */
	int activation; /* rnn only: 0 tanh, 1 relu */
	bool bias;
};

enum { CHOICE_MAX = 16 };

struct choice { /* one place, several candidate layers with the same output shape; no backend trains it yet */
	int n;
	struct choice_item {
		enum layer_kind kind;
		void *cfg; /* explicit after the shape rule; in the graph's arena */
	} items[CHOICE_MAX];
};

struct empty { /* kinds without options */
	char unused;
};

extern const struct opt empty_opts[]; /* no rows */

#endif
