# SPDX-License-Identifier: MIT
##@ Test

UNIT_TESTS := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(wildcard tests/unit/test_*.c))
FUZZERS    := $(patsubst tests/fuzz/%.c,$(BUILD)/tests/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
TRIGGER    := $(BUILD)/tests/trigger
# an exit status of its own: no test takes a sanitizer's report for the failure that it wants
comma := ,
SANITIZER_ENV := $(if $(SANITIZE),ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99:print_stacktrace=1)

$(BUILD)/tests/unit/%: tests/unit/%.c $(LIBRARY)
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -Wno-write-strings -Wno-discarded-qualifiers -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) -lcmocka $(LDLIBS)

# clang's libFuzzer, with what it fuzzes built the same way, once for all of them
FUZZ_CC := $(CLANG) -g -O1 -std=gnu11 -D_GNU_SOURCE -DEBPFMON_VERSION='"fuzz"' $(INCLUDES) \
	-fsanitize=address,undefined -fno-sanitize-recover=undefined -MMD -MP \
	$(if $(FUZZ_COVERAGE),-fprofile-instr-generate -fcoverage-mapping)
FUZZ_LIBRARY := $(LIBRARY:$(BUILD)/%=$(BUILD)/fuzz/%)

$(BUILD)/fuzz/src/%.o: src/%.c | $(SKELETONS)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer-no-link -c -o $@ $<

$(BUILD)/tests/fuzz/fuzz_%: tests/fuzz/fuzz_%.c $(FUZZ_LIBRARY)
	$(call say,FUZZ,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(FUZZ_CC) -fsanitize=fuzzer -MF $@.d -o $@ $< $(FUZZ_LIBRARY) -lelf -lz -lcjson $(SECCOMP_LIBS)

# ebpfmon, with its pipeline's entrance watched: what the kernel really sends, as seeds
$(BUILD)/tests/fuzz/capture: tests/fuzz/capture.c $(OBJECTS)
	$(call say,LINK,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -Wl,--wrap=pipeline_feed -o $@ $^ $(LDLIBS)

$(TRIGGER): $(wildcard tests/triggers/*.c tests/triggers/*.h)
	$(call say,TRIGGER,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static -O1 -g -std=gnu11 -Wall -Wextra -o $@ $(filter %.c,$^) -lpthread

# for LD_PRELOAD
REFUSE := $(BUILD)/tests/refuse.so
HEAP   := $(BUILD)/tests/heap.so

$(REFUSE): tests/live/refuse.c
$(HEAP): tests/soak/heap.c

$(REFUSE) $(HEAP):
	$(call say,TEST,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -shared -fPIC -O1 -g -std=gnu11 -Wall -Wextra -o $@ $<

# ---- every relocation against every kernel: tests/core/check.py ----

CORE := $(BUILD)/tests/core/core-amd64 $(BUILD)/tests/core/core-arm64
CORE_OBJECTS := $(BUILD)/tests/core/core.o $(BUILD)/src/loader.o $(LIBRARY)

$(BUILD)/tests/core/core.o: tests/core/core.c $(wildcard include/*.h include/events/* src/*.h)
	$(call say,CC,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/core/core-amd64: $(CORE_OBJECTS) $(BUILD)/src/bpf_objects.o

# the same program with the objects for the other architecture
$(BUILD)/tests/core/core-arm64: $(CORE_OBJECTS) $(BUILD)/tests/core/arm64/bpf_objects.o

$(BUILD)/tests/core/core-%:
	$(call say,LINK,$@)
	$(Q)$(CC) $(ALL_LDFLAGS) -Wl,--wrap=syscall,--wrap=uname -o $@ $^ $(LDLIBS)

$(BUILD)/tests/core/arm64/bpf_objects.o: src/bpf_objects.c $(wildcard bpf/* include/*.h include/events/*) vmlinux/vmlinux.h
	$(Q)tests/core/uapi_arm64.sh $(@D)/uapi
	$(Q)$(MAKE) --no-print-directory BUILD=$(@D) ARCH=arm64 UAPI='$(@D)/uapi -idirafter $(UAPI)' $(@D)/include/skeletons.h
	$(Q)$(CC) -I$(@D)/include $(ALL_CFLAGS) -c -o $@ $<

# ---- the BPF programs, run one by one: tests/bpf/programs.h ----

BPF_TESTS := $(BUILD)/tests/bpf/test_programs

# the same programs, as bpf(2) runs them
$(BUILD)/tests/bpf/bpf_objects.o: src/bpf_objects.c $(wildcard bpf/* include/*.h include/events/*) vmlinux/vmlinux.h
	$(Q)$(MAKE) --no-print-directory BUILD=$(@D)/objects BPF_DEFINES=-DTEST_RUN $(@D)/objects/include/skeletons.h
	$(Q)$(CC) -I$(@D)/objects/include $(ALL_CFLAGS) -c -o $@ $<

$(BUILD)/tests/bpf/place.skel.h: tests/bpf/place.bpf.c tests/bpf/place.h vmlinux/vmlinux.h
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $(@:.skel.h=.bpf.o) $<
	$(Q)$(BPFTOOL) gen skeleton $(@:.skel.h=.bpf.o) name place_bpf > $@

$(BPF_TESTS): tests/bpf/test_programs.c tests/bpf/programs.c tests/bpf/programs.h $(BUILD)/tests/bpf/place.skel.h \
		$(BUILD)/tests/bpf/bpf_objects.o $(BUILD)/src/loader.o $(LIBRARY)
	$(call say,TEST,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -I$(@D) $(ALL_LDFLAGS) -o $@ $(filter %.c %.o,$^) -lcmocka $(LDLIBS)

# ---- what watching costs: tests/bench/bench.py ----

BENCH := $(BUILD)/tests/bench/workload $(BUILD)/tests/bench/floor

$(BUILD)/tests/bench/workload: tests/bench/workload.c
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) -static -O2 -g -std=gnu11 -D_GNU_SOURCE $(WARN) -o $@ $<

$(BUILD)/tests/bench/floor.skel.h: tests/bench/floor.bpf.c
	$(call say,BPF,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -c -o $(@:.skel.h=.bpf.o) $<
	$(Q)$(BPFTOOL) gen skeleton $(@:.skel.h=.bpf.o) name floor_bpf > $@

$(BUILD)/tests/bench/floor: tests/bench/floor.c $(BUILD)/tests/bench/floor.skel.h
	$(call say,BENCH,$@)
	$(Q)$(CC) $(ALL_CFLAGS) -I$(@D) $(ALL_LDFLAGS) -o $@ $< $(LDLIBS)

BENCHES := $(BUILD)/tests/bench/bench_format

$(BENCHES): $(BUILD)/%: %.c $(LIBRARY)
	$(call say,BENCH,$@)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -MF $@.d $(ALL_LDFLAGS) -o $@ $< $(LIBRARY) $(LDLIBS)

-include $(UNIT_TESTS:=.d) $(BENCHES:=.d) $(FUZZERS:=.d) $(FUZZ_LIBRARY:.o=.d)

.PHONY: test
test: ## install what is missing, run every test (root; some minutes)
	$(Q)deploy/deps.sh test
	$(Q)$(MAKE) --no-print-directory all tests
	$(Q)tests/run.sh unit bpf lint fuzz live verify portable install

.PHONY: tests
tests: $(UNIT_TESTS) $(BPF_TESTS) $(FUZZERS) $(TRIGGER) $(REFUSE)

.PHONY: test-unit
test-unit: $(UNIT_TESTS) ## run the unit tests (no root)
	$(Q)$(SANITIZER_ENV) BUILD=$(BUILD) tests/run.sh unit

.PHONY: test-bpf
test-bpf: $(BPF_TESTS) ## run the BPF programs one by one, on values that tests choose (root; seconds)
	$(Q)$(SANITIZER_ENV) BUILD=$(BUILD) tests/run.sh bpf

.PHONY: test-live
test-live: all $(TRIGGER) $(REFUSE) ## run the live tests on this machine's kernel (root); LIVE_OPTIONS='-k tcp'
	$(Q)$(SANITIZER_ENV) EBPFMON=./$(EXE) tests/run.sh live

.PHONY: test-sanitize
test-sanitize: ## unit and live tests of an executable built with ASan, UBSan and LeakSanitizer (root; 3 minutes)
	$(Q)$(MAKE) --no-print-directory SANITIZE=1 test-unit test-live LIVE_OPTIONS="$(or $(LIVE_OPTIONS),--runtime run$(comma)runc)"

.PHONY: coverage
coverage: ## lines of src/ that unit, live and install tests run; fails below 85% (root)
	$(Q)deploy/deps.sh test
	$(Q)$(MAKE) --no-print-directory COVERAGE=1 all coverage-tests
	$(Q)tests/coverage.sh

.PHONY: coverage-tests
coverage-tests: $(UNIT_TESTS) $(TRIGGER)

.PHONY: soak
soak: all $(TRIGGER) $(HEAP) ## containers come and go for HOURS=1: memory, files and maps must not grow (root)
	$(Q)$(PYTHON) tests/soak/soak.py --ebpfmon ./$(EXE) --trigger $(TRIGGER) --heap $(HEAP) --out $(BUILD)/soak --hours $(or $(HOURS),1)

.PHONY: soak-short
soak-short: all $(TRIGGER) $(HEAP) ## the same in three minutes, as CI runs it (root)
	$(Q)$(PYTHON) tests/soak/soak.py --ebpfmon ./$(EXE) --trigger $(TRIGGER) --heap $(HEAP) --out $(BUILD)/soak

.PHONY: test-install
test-install: all ## what is installed, and that an ordinary user can build it (root)
	$(Q)tests/run.sh install

.PHONY: check-core
check-core: $(CORE) ## every CO-RE relocation and tracepoint against every kernel's BTF, none booted (seconds after download)
	$(Q)deploy/deps.sh vm
	$(Q)BUILD=$(BUILD) tests/run.sh core

.PHONY: verify
verify: all ## twelve workloads under their advice, each entry left out in turn (root; 8 minutes); VERIFY_ONLY=PATTERN
	$(Q)deploy/deps.sh verify
	$(Q)$(PYTHON) tests/verify/verify.py --runs 3 --ablate -k '$(VERIFY_ONLY)'

.PHONY: verify-starts
verify-starts: all ## 1,000 starts of a trivial container under its profile, with and without no_new_privs (root); STARTS=
	$(Q)$(PYTHON) tests/verify/starts.py

.PHONY: test-portable-vm
test-portable-vm: all ## one profile of this host's under crun, podman and the newest runtimes, in a virtual machine (root)
	$(Q)deploy/deps.sh vm
	$(Q)KERNEL=portable tests/run.sh vm

# what runs in virtual machines: for arm64 only where that is asked for
VM_KERNELS := $(KERNEL)
ifneq ($(if $(VM_KERNELS),$(findstring arm64,$(VM_KERNELS)),arm64),)
VM_ARM64 := vm-arm64
endif

.PHONY: vm-arm64
vm-arm64:
	$(Q)deploy/deps.sh arm64
	$(Q)$(MAKE) --no-print-directory CROSS=aarch64-linux-gnu- BUILD=build/arm64 EXE=build/arm64/ebpfmon \
		build/arm64/ebpfmon build/arm64/tests/trigger build/arm64/tests/refuse.so

.PHONY: test-vm
test-vm: all $(TRIGGER) $(REFUSE) $(VM_ARM64) ## the live tests in virtual machines (root); KERNEL='5.10 6.12/v1 6.1/arm64', VM_CI=1: what CI runs
	$(Q)deploy/deps.sh vm
	$(Q)KERNEL='$(VM_KERNELS)' VM_CI=$(VM_CI) tests/run.sh vm

.PHONY: test-vm-update
test-vm-update: all $(TRIGGER) $(VM_ARM64) ## what is expected of each program on each kernel: make tests/vm/programs.tsv anew
	$(Q)deploy/deps.sh vm
	$(Q)KERNEL='$(VM_KERNELS)' tests/run.sh vm_update

.PHONY: lint
lint: all ## clang-format, clang-tidy, cppcheck, shellcheck, codespell, layering
	$(Q)tests/run.sh lint

.PHONY: fuzz
fuzz: $(FUZZERS) ## run the fuzzers; FUZZ_SECONDS=5 each
	$(Q)FUZZ_SECONDS=$(FUZZ_SECONDS) tests/run.sh fuzz

.PHONY: fuzz-long
fuzz-long: $(FUZZERS) ## the fuzzers for HOURS=8 on all cores, keeping what they find out in build/corpus
	$(Q)BUILD=$(BUILD) tests/fuzz/long.sh $(or $(HOURS),8)

.PHONY: fuzz-coverage
fuzz-coverage: ## how much of what they are for the fuzzers reach with what they know
	$(Q)$(MAKE) --no-print-directory BUILD=build/fuzz-coverage FUZZ_COVERAGE=1 fuzzers
	$(Q)tests/fuzz/coverage.sh

.PHONY: fuzzers
fuzzers: $(FUZZERS)

.PHONY: fuzz-seeds
fuzz-seeds: all $(TRIGGER) $(BUILD)/tests/fuzz/capture ## make the seeds again that come from real recordings (root)
	$(Q)BUILD=$(BUILD) tests/fuzz/seeds.sh

.PHONY: bench
bench: all $(BENCH) ## what watching costs, beside doing nothing and peers (root; half an hour); BENCH_PAIRS= BENCH_ONLY=
	$(Q)deploy/deps.sh bench
	$(Q)$(PYTHON) tests/bench/bench.py run --build $(BUILD)

.PHONY: bench-profile
bench-profile: all $(BENCH) ## runs and nanoseconds of each BPF program in the getppid loop (root)
	$(Q)$(PYTHON) tests/bench/bench.py profile --build $(BUILD)

.PHONY: bench-scale
bench-scale: all $(BENCH) ## how cost grows with rate, containers, files, processes, CPUs (root; 5 minutes)
	$(Q)$(PYTHON) tests/bench/bench.py scale --build $(BUILD)

.PHONY: bench-format
bench-format: $(BUILD)/tests/bench/bench_format ## events a second that JSON, text and CSV take
	$(Q)$<

.PHONY: bench-start
bench-start: all ## milliseconds from start to attached, and from SIGINT to a written report (root)
	$(Q)$(PYTHON) tests/bench/start.py --ebpfmon ./$(EXE)

.PHONY: format
format: ## let clang-format have its way
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: test-secrets
test-secrets: all $(TRIGGER) ## 1,000 containers in waves: no secret of one turns up under another (root)
	$(Q)SWARM_SECRETS=1000 python3 tests/live/run.py --ebpfmon ./$(EXE) -k swarm.secrets

.PHONY: test-flood
test-flood: all $(TRIGGER) ## a minute each of forks, opens, connections at the most: the account of loss is exact (root; 10 minutes)
	$(Q)FLOOD_SECONDS=60 LIVE_RUN_TIMEOUT=600 python3 tests/live/run.py --ebpfmon ./$(EXE) -k '^flood'

.PHONY: test-faults
test-faults: all $(TRIGGER) ## the slow forms: every BPF program refused by itself, a million files (root; some minutes)
	$(Q)FAULT_EACH=1 ATTACK_FILES=1000000 LIVE_RUN_TIMEOUT=600 python3 tests/live/run.py --ebpfmon ./$(EXE) -k '^(faults|attacks|safety)'

.PHONY: bench-containers
bench-containers: all $(TRIGGER) ## what a container costs, in time and memory; 2,000 of them, COUNT= (root; 3 minutes)
	$(Q)python3 tests/bench/containers.py
