# nab - one non-recursive Makefile. A new source file or test needs no edit here.
#
#   make                      build ./nab
#   make demo                 install what is missing, build, run the main job on the embedded data set
#   make check                install what is missing, build, pass all tests
#   make SAN=address,undefined check-unit    the same with sanitizers, in an object tree of its own
#   make check-long check-exports fuzz bench golden install clean
#   make CUDA=0, CUDA=1       without the CUDA plugin; with it, or an error. By default it is built where nvcc is
#   make gpu-check, make gpu-bench PART=1 .. 4    on a machine with a GPU
#   make bundle               all of it in one file, build/nab-bundle.tar.xz, for a machine on which it cannot be built
#   V=1 shows the commands

.DELETE_ON_ERROR:
.SUFFIXES:
MAKEFLAGS += --no-builtin-rules

CC      ?= cc
ifeq ($(origin CC),default)
CC      := cc
endif
PREFIX  ?= /usr/local
comma   := ,
HASH    := \#
B       := build/$(subst $(comma),-,$(or $(SAN),release))
Q       := $(if $(V),,@)

DIRS    := base arch dataset space mutate search train store engine report export
LIBSRC  := $(sort $(foreach d,$(DIRS),$(wildcard $d/*.c)))
CLISRC  := $(sort $(wildcard cli/*.c))
LIBOBJ  := $(LIBSRC:%.c=$B/%.o)
CLIOBJ  := $(CLISRC:%.c=$B/%.o)
UNIT    := $(sort $(wildcard tests/unit/test_*.c) $(wildcard tests/prop/test_*.c))
LONG    := $(sort $(wildcard tests/long/test_*.c))
BENCH   := $(sort $(wildcard bench/bench_*.c))
FUZZ    := $(sort $(wildcard tests/fuzz/fuzz_*.c))
HELPERS := $(sort $(wildcard tests/helper_*.c))

WARN    := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wdouble-promotion -Wpointer-arith -Wwrite-strings \
           -Wformat=2 -Wno-format-nonliteral -Wundef
OPT     ?= -O2
override CFLAGS += -std=c11 -D_GNU_SOURCE -I. $(OPT) -g $(WARN) $(if $(WERROR),-Werror) -fopenmp -ffp-contract=off \
           -fstack-protector-strong $(if $(SAN),-fsanitize=$(SAN) -fno-sanitize-recover=all -fno-omit-frame-pointer,-D_FORTIFY_SOURCE=2)
override LDFLAGS += -rdynamic $(if $(SAN),-fsanitize=$(SAN))
LIBS    := -lcjson -lxxhash -lsqlite3 -ldnnl -lpng -lz -llapacke -lopenblas -lm -ldl -lpthread -fopenmp

.PHONY: all check check-unit check-cli check-headers check-layers check-exports check-long check-fault demo docs bench fuzz golden \
        gpu-check gpu-bench bundle bundle-folder install clean deps FORCE

all: nab

deps:
	$(Q)./tools/install-deps.sh build

nab: $B/nab
	$(Q)cp -f $< $@

$B/nab: $(CLIOBJ) $B/libnab.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $(CLIOBJ) $B/libnab.a $(LIBS)

$B/libnab.a: $(LIBOBJ)
	@echo "  AR    $@"
	$(Q)rm -f $@ && ar rcs $@ $(LIBOBJ)

$B/%.o: %.c $B/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS) -MMD -MP -c -o $@ $<

$B/report/assets.o: $(wildcard report/page/*) build/wasm/editor.b64

# Kernels of the CPU backend are compiled for the machine's vector units and chosen at run time (train/simd.h).
$B/flags: FORCE
	@mkdir -p $B
	@echo '$(CC) $(CFLAGS)' | cmp -s - $@ || echo '$(CC) $(CFLAGS)' >$@

# The page's editor of models: base/, arch/, mutate/ and the SNACs in WebAssembly, gzipped, in base64. Without clang, lld
# and wasi-libc it is empty, and the page says what is missing.
WASMCC   ?= clang
WASMSRC  := $(sort $(wildcard wasm/*.c arch/*.c mutate/*.c space/*.c report/snac*.c report/canvas*.c report/svg*.c report/font*.c report/outline*.c) report/escape.c \
              $(patsubst %,base/%.c,err hash json mem opt path rng str))
WASMOBJ  := $(WASMSRC:%.c=build/wasm/%.o) build/wasm/library.o
WASMINC  := $(sort $(dir $(filter %/xxhash.h,$(shell echo '$(HASH)include <xxhash.h>' | $(CC) -M -x c - 2>/dev/null))))
WASMOPT  := --target=wasm32-wasi -std=c11 -D_GNU_SOURCE -D_WASI_EMULATED_MMAN -DXXH_INLINE_ALL -I. $(WASMINC:%=-idirafter %) -Oz \
            -ffp-contract=off -Wall -Wextra
WASMLINK := $(WASMCC) --target=wasm32-wasi -mexec-model=reactor -Oz -Wl,--gc-sections,--strip-all,-z,stack-size=1048576
WASM     := $(shell mkdir -p build/wasm; printf '$(HASH)include <string.h>\n$(HASH)include <xxhash.h>\n$(HASH)include <cjson/cJSON.h>\n' | \
              $(WASMCC) $(WASMOPT) -c -x c - -o build/wasm/probe.o 2>/dev/null && \
              $(WASMLINK) -o build/wasm/probe build/wasm/probe.o -lm 2>/dev/null && echo yes)

build/wasm/flags: FORCE
	@echo '$(WASMLINK) $(WASMOPT) $(WASM)' | cmp -s - $@ || echo '$(WASMLINK) $(WASMOPT) $(WASM)' >$@

build/wasm/library.c: $(wildcard configs/blocks/*.json)
	@{ echo '#include "wasm/library.h"'; echo 'const struct library_file library_files[] = {'; for f in $(sort $^); do \
		echo "{ \"$${f##*/}\","; sed 's/\\/\\\\/g; s/"/\\"/g; s/^/"/; s/$$/\\n"/' "$$f"; echo '},'; done; echo '{ 0, 0 } };'; } >$@

build/wasm/library.o: build/wasm/library.c build/wasm/flags
	$(Q)$(WASMCC) $(WASMOPT) -c -o $@ $<

build/wasm/%.o: %.c build/wasm/flags
	@mkdir -p $(@D)
	@echo "  WASM  $<"
	$(Q)$(WASMCC) $(WASMOPT) -MMD -MP -c -o $@ $<

ifeq ($(WASM),yes)
build/wasm/editor.b64: $(WASMOBJ)
	$(Q)$(WASMLINK) -o build/wasm/editor.wasm $(WASMOBJ) -lm
	$(Q)gzip -9nc build/wasm/editor.wasm | base64 -w0 >$@
	@echo "  WASM  the page's editor of models: $$(wc -c <build/wasm/editor.wasm) bytes"
else
build/wasm/editor.b64: build/wasm/flags
	@: >$@
	@echo "  WASM  no editor of models on the page: it needs clang, lld, wasi-libc and libclang-rt-dev-wasm32"
endif

# The CUDA backend's kernels for the processor, behind the plugin's functions (tests/cuda/): without a C++ compiler the
# tests that need it are skipped.
CXX      := $(if $(filter default,$(origin CXX)),g++,$(CXX))
EMUCU    := $(wildcard train/cuda/*.cu)
EMUREST  := $(patsubst %,$B/emulated/%.o,$(wildcard tests/cuda/*.cc) train/cuda/kernels.c tests/cuda/emulated.c tests/cuda/products.c)
EMUFLAGS := -fPIC -fvisibility=hidden -fopenmp-simd
EMUCXX   := $(filter-out -std=c11 -Wmissing-prototypes -Wshadow,$(CFLAGS)) -std=c++17 -fno-exceptions -fno-rtti $(EMUFLAGS)
EMULATED := $(if $(shell command -v $(CXX)),$B/tests/cuda/emulated_cuda.so)

# The same with kernels that are watched for races (tests/cuda/races.h), where the compiler can do that: what SAN names
# cannot be combined with it. gcc must not read ahead, which clang then does not do anyway.
WATCH    := $(if $(SAN),,$(shell for f in '-O1 -fno-tree-loop-im -fno-ssa-phiopt' ''; do \
              echo 'int x;' | $(CXX) -fsanitize=thread $$f -x c++ -c -o /dev/null - 2>/dev/null && { echo -fsanitize=thread $$f; break; }; done))
WATCHED  := $(if $(WATCH),$B/tests/cuda/emulated_races.so $B/tests/cuda/planted.so)

$B/emulated/%.cu.o: %.cu $B/flags
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	$(Q)$(CXX) $(EMUCXX) -x c++ -include tests/cuda/emulate.h -MMD -MP -c -o $@ $<
$B/watched/%.cu.o: %.cu $B/flags
	@mkdir -p $(@D)
	@echo "  CXX   $< (watched)"
	$(Q)$(CXX) $(EMUCXX) $(WATCH) -x c++ -include tests/cuda/emulate.h -MMD -MP -c -o $@ $<
$B/emulated/%.cc.o: %.cc $B/flags
	@mkdir -p $(@D)
	@echo "  CXX   $<"
	$(Q)$(CXX) $(EMUCXX) -include tests/cuda/emulate.h -MMD -MP -c -o $@ $<
$B/emulated/%.c.o: %.c $B/flags
	@mkdir -p $(@D)
	@echo "  CC    $<"
	$(Q)$(CC) $(CFLAGS) $(EMUFLAGS) -MMD -MP -c -o $@ $<
$B/tests/cuda/emulated_cuda.so: $(EMUCU:%=$B/emulated/%.o) $(EMUREST)
$B/tests/cuda/emulated_races.so: $(EMUCU:%=$B/watched/%.o) $(EMUREST)
$B/tests/cuda/planted.so: $B/watched/tests/cuda/planted.cu.o $(filter %.cc.o,$(EMUREST))
$(EMULATED) $(WATCHED):
	@mkdir -p $(@D)
	@echo "  LD    $@"
	$(Q)$(CC) $(if $(SAN),-fsanitize=$(SAN),-Wl,-z,defs) -shared -o $@ $^ -lm -lpthread -ldl

# The CUDA plugin: opened at run time where it is (train/backend_cuda_load.h), linked to nothing of the main program, so
# that nab itself needs nothing of NVIDIA. Only cudart is inside it. Kernels are compiled file by file, for the
# generations named, and as PTX for later ones; what ptxas says of registers and spills is kept beside the objects.
NVCC          := $(or $(NVCC),$(firstword $(shell command -v nvcc) $(wildcard $(CUDA_HOME:%=%/bin/nvcc) /usr/local/cuda/bin/nvcc)))
CUDA_TOP      := $(if $(NVCC),$(patsubst %/bin/nvcc,%,$(realpath $(shell command -v $(NVCC)))))
CUDA_LIB      := $(firstword $(dir $(wildcard $(patsubst %,$(CUDA_TOP)/%/libcudart_static.a,lib64 lib targets/x86_64-linux/lib lib/x86_64-linux-gnu))))
CUDNN_INCLUDE := $(or $(CUDNN_INCLUDE),$(firstword $(dir $(wildcard $(patsubst %,%/cudnn_graph.h,$(CUDA_TOP)/include /usr/include \
                   /usr/include/x86_64-linux-gnu)))))
CUDA_ARCHS    := 75 80 90
CUDA_WITHOUT  := $(strip $(if $(filter 0,$(CUDA)),CUDA=0,$(if $(CUDA_TOP),$(if $(CUDA_LIB),$(if $(CUDNN_INCLUDE),$(if $(shell command -v g++),,\
                   nvcc needs g++),cudnn_graph.h is not found (CUDNN_INCLUDE names its folder)),libcudart_static.a is not found in $(CUDA_TOP)),\
                   nvcc is not found in PATH$(comma) $$CUDA_HOME/bin or /usr/local/cuda/bin (NVCC names it))))
CUDAOBJ       := $(patsubst train/cuda/%,$B/cuda/%.o,$(sort $(wildcard train/cuda/*.c train/cuda/*.cu)))
CUDA_CFLAGS   := -std=c11 -D_GNU_SOURCE -I. -isystem $(CUDA_TOP)/include -isystem $(CUDNN_INCLUDE) $(OPT) -g $(WARN) $(if $(WERROR),-Werror) -fPIC \
                   -fvisibility=hidden -fstack-protector-strong -DCUDA_ARCHS='"$(CUDA_ARCHS:%=sm_%)"'
NVCC_FLAGS    := -std=c++17 -O3 -I. -lineinfo $(foreach a,$(CUDA_ARCHS),-gencode arch=compute_$a$(comma)code=sm_$a) \
                   -gencode arch=compute_$(lastword $(CUDA_ARCHS))$(comma)code=compute_$(lastword $(CUDA_ARCHS)) -compress-mode=size -Werror all-warnings -Xptxas -v \
                   -Xcompiler -Wall$(comma)-Wextra$(comma)-fPIC$(comma)-fvisibility=hidden$(comma)-fno-exceptions$(comma)-fno-rtti$(comma)-fno-threadsafe-statics

ifeq ($(CUDA),1)
$(if $(CUDA_WITHOUT),$(error CUDA=1, but the CUDA plugin cannot be built: $(CUDA_WITHOUT)))
endif

PLUGIN :=
ifneq ($(SAN),)
else ifeq ($(CUDA_WITHOUT),)
PLUGIN := backend_cuda.so
else
all: $B/no-plugin
endif
all: $(PLUGIN)

# Its parts that need no card are tested on a runtime that is made up.
$(patsubst %,$B/tests/unit/test_cuda_%.o,card library measure): override CFLAGS += $(CUDA_TOP:%=-isystem %/include) $(CUDNN_INCLUDE:%=-isystem %)

backend_cuda.so: $B/backend_cuda.so
	$(Q)cp -f $< $@

$B/backend_cuda.so: $(CUDAOBJ)
	@echo "  LD    $@"
	$(Q)$(CC) -shared -o $@ $^ -L$(CUDA_LIB) -lcudart_static -ldl -lrt -lpthread -Wl,--exclude-libs,ALL -Wl,-z,defs -Wl,--as-needed

$B/cuda/%.c.o: train/cuda/%.c $B/cuda/flags
	@echo "  CC    $<"
	$(Q)$(CC) $(CUDA_CFLAGS) -MMD -MP -c -o $@ $<

$B/cuda/%.cu.o: train/cuda/%.cu $B/cuda/flags
	@echo "  NVCC  $<"
	$(Q)$(NVCC) $(NVCC_FLAGS) -MMD -MP -MF $(@:.o=.d) -c -o $@ $< >$(@:.o=.ptxas) 2>&1 || { cat $(@:.o=.ptxas); exit 1; }

$B/cuda/flags: FORCE
	@mkdir -p $(@D)
	@echo '$(CC) $(CUDA_CFLAGS) $(NVCC) $(NVCC_FLAGS)' | cmp -s - $@ || echo '$(CC) $(CUDA_CFLAGS) $(NVCC) $(NVCC_FLAGS)' >$@

# An old plugin must not stay beside a new nab.
$B/no-plugin: FORCE
	@mkdir -p $(@D)
	@rm -f backend_cuda.so $B/backend_cuda.so
	@echo 'no CUDA plugin: $(CUDA_WITHOUT)' | cmp -s - $@ || { echo 'no CUDA plugin: $(CUDA_WITHOUT)' >$@; sed 's/^/  CUDA  /' $@; }

UNITBIN  := $(UNIT:%.c=$B/%)
LONGBIN  := $(LONG:%.c=$B/%)
BENCHBIN := $(BENCH:%.c=$B/%)
FUZZBIN  := $(FUZZ:%.c=$B/%)
HELPOBJ  := $(HELPERS:%.c=$B/%.o)

$(UNITBIN) $(LONGBIN): | $(EMULATED) $(WATCHED)
$(UNITBIN) $(LONGBIN): $B/%: $B/%.o $(HELPOBJ) $B/libnab.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(HELPOBJ) $B/libnab.a $(LIBS) -lcmocka
$(BENCHBIN): $B/%: $B/%.o $(HELPOBJ) $B/libnab.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $(HELPOBJ) $B/libnab.a $(LIBS) -lcmocka
# A fuzz target with a plain main that replays files; `make fuzz` builds the same source with clang's libFuzzer.
$(FUZZBIN): $B/%: $B/%.o $B/tests/fuzz/replay.o $B/libnab.a
	@echo "  LD    $@"
	$(Q)$(CC) $(LDFLAGS) -o $@ $< $B/tests/fuzz/replay.o $B/libnab.a $(LIBS)

check-unit: $(UNITBIN) $(FUZZBIN) nab
	$(Q)B=$B tests/run.sh unit

check-headers:
	$(Q)tests/check-headers.sh $(CC)

check-layers:
	$(Q)tests/check-layers.sh

# What the tests skip where it is missing: TensorBoard itself, in a Python of its own under build/.
check-exports: $B/tests/unit/test_tensorboard $B/tests/unit/test_export nab
	$(Q)[ -x build/tensorboard/bin/tensorboard ] || { python3 -m venv build/tensorboard && \
		build/tensorboard/bin/pip install -q --disable-pip-version-check tensorboard; }
	$(Q)NAB_TENSORBOARD=build/tensorboard/bin/python $B/tests/unit/test_tensorboard
	$(Q)$B/tests/unit/test_export

check-fault: nab
	$(Q)tests/check-fault.sh

check-cli: nab
	$(Q)B=$B tests/run.sh cli

check:
	$(Q)./tools/install-deps.sh check
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all $(UNITBIN) $(FUZZBIN)
	$(Q)B=$B tests/run.sh all

check-long: $(LONGBIN) nab
	$(Q)B=$B tests/run.sh long

golden: nab docs
	$(Q)B=$B NAB_GOLDEN=1 tests/run.sh cli

docs: nab
	$(Q)tools/docs.sh

fuzz:
	$(Q)tests/fuzz/run.sh

bench: $(BENCHBIN) nab
	$(Q)B=$B bench/run.sh

# On a machine with a GPU; elsewhere they say SKIP and why. bench/gpu/run.sh lists the parts. Where the plugin cannot be
# built, what was built elsewhere and brought along is run as it is.
GPU_NEEDS := $(if $(CUDA_WITHOUT),$(if $(wildcard nab),,all),all)

GPU_TESTS := $(filter-out %_card %_measure %_launches,$(filter $B/tests/unit/test_cuda% %/test_train %/test_engine_cuda,$(UNITBIN)))

gpu-check: $(GPU_NEEDS) $(if $(CUDA_WITHOUT),,$(GPU_TESTS))
	$(Q)B=$B tests/gpu/check.sh

gpu-bench: $(GPU_NEEDS)
	$(Q)bench/gpu/run.sh $(or $(PART),1)

# nab and its checks for a machine on which they cannot be built, with all libraries but glibc's and NVIDIA's. Programs are
# linked anew, stripped, with the bundle's lib/ as their RPATH: unlike RUNPATH, it reaches what the libraries need themselves.
BUNDLE  := build/bundle/nab-bundle
BUNDLED := $B/bundle/nab $(GPU_TESTS:$B/tests/unit/%=$B/bundle/%)
bundled = mkdir -p $(@D) && $(CC) $(LDFLAGS) -s -Wl,--disable-new-dtags,-rpath,'$$ORIGIN/$(1)/lib' -o $@

$B/bundle/nab: nab
	@echo "  LD    $@"
	$(Q)$(call bundled,../..) $(CLIOBJ) $B/libnab.a $(LIBS)
$B/bundle/test_%: $B/tests/unit/test_%
	@echo "  LD    $@"
	$(Q)$(call bundled,../../../..) $<.o $(HELPOBJ) $B/libnab.a $(LIBS) -lcmocka

bundle-folder: $(BUNDLED) $(or $(PLUGIN),$B/no-plugin)
	$(Q)B=$B tools/bundle.sh $(BUNDLE) $(notdir $(GPU_TESTS))

bundle: bundle-folder
	$(Q)XZ_OPT='-6 -T2' tar -C $(BUNDLE)/.. --sort=name --owner=0 --group=0 -cJf build/nab-bundle.tar.xz $(notdir $(BUNDLE))
	@ls -sh build/nab-bundle.tar.xz

demo:
	$(Q)./tools/install-deps.sh build
	$(Q)$(MAKE) --no-print-directory -j$$(nproc) all
	$(Q)./tools/demo.sh

install: all
	$(if $(PLUGIN),install -D -m 755 $B/backend_cuda.so $(DESTDIR)$(PREFIX)/lib/nab/backend_cuda.so)
	install -D -m 755 nab $(DESTDIR)$(PREFIX)/bin/nab
	mkdir -p $(DESTDIR)$(PREFIX)/share/nab
	cp -r configs $(DESTDIR)$(PREFIX)/share/nab/

clean:
	rm -rf build nab backend_cuda.so

-include $(CUDAOBJ:.o=.d) $(WASMSRC:%.c=build/wasm/%.d) $(LIBSRC:%.c=$B/%.d) $(CLISRC:%.c=$B/%.d) $(HELPERS:%.c=$B/%.d) $(UNIT:%.c=$B/%.d) $(LONG:%.c=$B/%.d) $(BENCH:%.c=$B/%.d) $(FUZZ:%.c=$B/%.d) $(patsubst %,$B/emulated/%.d,$(EMUCU)) $(patsubst %,$B/watched/%.d,$(EMUCU) tests/cuda/planted.cu) $(EMUREST:.o=.d)
