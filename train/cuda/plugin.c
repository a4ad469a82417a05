/* train/cuda/plugin.c - the plugin's one symbol, and its table (abi.h). */
#include <cuda_runtime_api.h>
#include <cudnn_version.h>
#include <stdio.h>
#include <stdlib.h>

#include "train/cuda/card.h"
#include "train/cuda/driver.h"
#include "train/cuda/exec.h"
#include "train/cuda/library.h"

__attribute__((visibility("default"))) cuda_plugin_entry nab_cuda_plugin;

static int find(struct cuda_found *out)
{
	struct cuda_part *cudnn, *cublaslt;

	*out = (struct cuda_found){ 0 };
	driver_find(out);
	cudnn = driver_part(out, "cudnn");
	cublaslt = driver_part(out, "cublaslt");
	library_find(cudnn, cublaslt);
	for (int i = 0; i < out->n_parts; i++)
		if (!out->part[i].ok)
			return -1;
	return 0;
}

static struct cuda_plugin plugin = {
	.abi = CUDA_ABI,
	.op_size = sizeof(struct cuda_op),
	.control_size = sizeof(struct cuda_control),
	.found_size = sizeof(struct cuda_found),
	.step_size = sizeof(struct cuda_step),
	.find = find,
	.card_open = card_open,
	.card_close = card_close,
	.memory_free = memory_free,
	.alloc = memory_alloc,
	.release = memory_release,
	.lane_open = lane_open,
	.lane_close = lane_close,
	.upload = lane_upload,
	.download = lane_download,
	.fill = lane_fill,
	.copy = lane_copy,
	.follow = lane_follow,
	.plan = exec_plan,
	.exec_new = exec_new,
	.exec_free = exec_free,
	.exec_run = exec_run,
	.exec_time = exec_time,
	.wait = lane_wait,
	.describe = exec_describe,
};

const struct cuda_plugin *nab_cuda_plugin(void)
{
	snprintf(plugin.built, sizeof plugin.built, "CUDA %d.%d for %s, headers of cuDNN %d.%d", CUDART_VERSION / 1000,
		 CUDART_VERSION % 1000 / 10, CUDA_ARCHS, CUDNN_MAJOR, CUDNN_MINOR);
	/* devices in the order of nvidia-smi; workers inherit it */
	setenv("CUDA_DEVICE_ORDER", "PCI_BUS_ID", 0);
	return &plugin;
}
