# SPDX-License-Identifier: GPL-2.0-only
#
# make                build everything into build/
# sudo make demo      the main job on real IPsec        (installs what it needs first)
# sudo make check     every test                        (likewise)
# sudo make bench     figures, side by side in one run  (likewise)
# sudo make bench-failover    a silent cut, and what others make of it; R=rounds, LEGS="aa-steer frr-fast ..."  (likewise)
# sudo make bench-soak        false failovers under load, beside FRR; MINUTES=10  (likewise)
# sudo make bench-sessions    how many sessions a CPU carries; CPUS=both|each  (likewise)
# make install        DESTDIR= and PREFIX= are honoured
# make fmt, make clean
#
# V=1 shows the commands. Tests are found by name: tests/unit/*_test.c (cmocka), tests/prog/*_test.c (cmocka, root),
# tests/fuzz/*_fuzz.c (libFuzzer), tests/netns/*.test and vmtest/suites/*.test (TAP on standard output, root).

MAKEFLAGS += --no-builtin-rules
.DELETE_ON_ERROR:
.SECONDARY:
.SUFFIXES:

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = $(if $(filter 1,$(V)),,@printf '  %-7s %s\n' $(1) $(2))

VERSION := $(shell cat VERSION)
PREFIX  ?= /usr/local
SBINDIR ?= $(PREFIX)/sbin
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
BASHDIR ?= $(PREFIX)/share/bash-completion/completions

CC      ?= gcc
CLANG   ?= clang
# Ubuntu's /usr/sbin/bpftool is a script that refuses to run where the kernel is of another flavour than the tools are.
BPFTOOL ?= $(firstword $(wildcard /usr/lib/linux-tools/*/bpftool /usr/sbin/bpftool) bpftool)

MULTIARCH := $(shell $(CC) -print-multiarch 2>/dev/null)
WARNINGS  := -Wall -Wextra -Werror -Wstrict-prototypes -Wmissing-prototypes -Wshadow -Wpointer-arith -Wvla
override CPPFLAGS += -D_GNU_SOURCE -DAA_STEER_VERSION='"$(VERSION)"' -Ibuild/bpf -Ibuild/tests/lib
CFLAGS    ?= -O2 -g
override CFLAGS   += -std=gnu11 $(WARNINGS) -fno-strict-aliasing
SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer
BPF_CFLAGS := -target bpf -mcpu=v3 -O2 -g -std=gnu11 -Wall -Wextra -Werror -Wno-address-of-packed-member \
	$(if $(MULTIARCH),-I/usr/include/$(MULTIARCH))

DAEMON_LIBS := -lxdp -lbpf -lmnl -lsystemd -lyaml -ljansson -lelf -lz -lm
TOOL_LIBS   := -ljansson

BPF_OBJECTS    := $(patsubst bpf/%.bpf.c,build/bpf/%.bpf.o,$(wildcard bpf/*.bpf.c))
SKELETONS      := $(BPF_OBJECTS:.bpf.o=.skel.h)
LOADER_SOURCES := $(filter-out loader/main.c,$(wildcard loader/*.c))
TOOL_SOURCES   := $(filter-out tools/main.c,$(wildcard tools/*.c))
UNIT_TESTS     := $(patsubst tests/unit/%.c,build/tests/unit/%,$(wildcard tests/unit/*_test.c))
PROG_TESTS     := $(patsubst tests/prog/%.c,build/tests/prog/%,$(wildcard tests/prog/*_test.c))
FUZZERS        := $(patsubst tests/fuzz/%.c,build/tests/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
HELPERS        := $(patsubst tests/lib/%.c,build/tests/lib/%,$(filter-out %.bpf.c,$(wildcard tests/lib/*.c)))
NEXT           := build/next/aa-steerd
BENCHES        := $(patsubst tests/bench/%.c,build/tests/bench/%,$(wildcard tests/bench/*.c))

.PHONY: all deps check demo bench bench-failover bench-soak bench-sessions install uninstall fmt clean \
	check-static check-unit check-prog check-fuzz check-netns check-vm tests

all: build/aa-steerd build/aa-steer

# --- programs ---------------------------------------------------------------------------------------------------------

build/%.bpf.o: %.bpf.c
	$(call say,BPF,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -MF build/$*.bpf.d -c $< -o $@

build/%.skel.h: build/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< name $(*F) > $@

build/obj/%.o: %.c VERSION | $(SKELETONS)
	$(call say,CC,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) -MMD -MP -c $< -o $@

build/san/%.o: %.c VERSION | $(SKELETONS)
	$(call say,CC-SAN,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(CFLAGS) $(SANITIZE) -MMD -MP -c $< -o $@

build/libloader.a: $(LOADER_SOURCES:%.c=build/obj/%.o)
build/libtools.a: $(TOOL_SOURCES:%.c=build/obj/%.o)
build/san/libloader.a: $(LOADER_SOURCES:%.c=build/san/%.o)
build/san/libtools.a: $(TOOL_SOURCES:%.c=build/san/%.o)
%.a:
	$(call say,AR,$@)
	@mkdir -p $(@D)
	$(Q)rm -f $@ && ar rcs $@ $^

build/aa-steerd: build/obj/loader/main.o build/libloader.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(DAEMON_LIBS)

build/aa-steer: build/obj/tools/main.o build/libtools.a
	$(call say,LINK,$@)
	$(Q)$(CC) $(CFLAGS) $(LDFLAGS) $^ -o $@ $(TOOL_LIBS)

# --- tests ------------------------------------------------------------------------------------------------------------

tests: $(UNIT_TESTS) $(PROG_TESTS) $(FUZZERS) $(HELPERS) $(NEXT) $(BENCHES)

build/tests/unit/%: build/san/tests/unit/%.o build/san/libloader.a build/san/libtools.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $^ -o $@ -lcmocka $(DAEMON_LIBS)

build/tests/prog/%: build/san/tests/prog/%.o build/san/libloader.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $(SANITIZE) $^ -o $@ -lcmocka $(DAEMON_LIBS)

# Fuzzers include the source that they fuzz, so that it is instrumented.
build/tests/fuzz/%: tests/fuzz/%.c | $(SKELETONS)
	$(call say,FUZZ,$@)
	@mkdir -p $(@D)
	$(Q)$(CLANG) $(CPPFLAGS) -O1 -g -std=gnu11 -Wall -Wextra -Werror -fsanitize=fuzzer,address,undefined \
		-fno-sanitize-recover=undefined -MMD -MP -MF $@.d $< -o $@ $(DAEMON_LIBS)

build/tests/lib/%: build/obj/tests/lib/%.o
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -lpthread -ljansson -lbpf -lm

build/obj/tests/lib/live.o: build/tests/lib/live.skel.h

# The daemon of a map ABI that is yet to come, for the test of an upgrade.
$(NEXT): tests/lib/next_build Makefile VERSION $(wildcard maps/*.h bpf/*.[ch] loader/*.[ch])
	$(call say,NEXT,$@)
	$(Q)tests/lib/next_build $(@D)

build/tests/bench/%: build/obj/tests/bench/%.o build/libloader.a
	$(call say,LINK,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(CFLAGS) $^ -o $@ -lpthread $(DAEMON_LIBS)

deps:
	$(Q)dist/deps.sh

check: deps
	$(Q)$(MAKE) --no-print-directory -j2 all tests
	$(Q)tests/run static unit prog fuzz netns vm

check-static check-unit check-prog check-fuzz check-netns check-vm: check-%:
	$(Q)$(MAKE) --no-print-directory -j2 all tests
	$(Q)tests/run $*

demo: deps
	$(Q)$(MAKE) --no-print-directory -j2 all $(HELPERS)
	$(Q)vmtest/demo

bench: deps
	$(Q)$(MAKE) --no-print-directory -j2 all $(BENCHES) $(HELPERS)
	$(Q)tests/bench/run

bench-failover: deps
	$(Q)$(MAKE) --no-print-directory -j2 all $(HELPERS)
	$(Q)tests/bench/failover $(if $(R),-r $(R)) $(LEGS)

bench-soak: deps
	$(Q)$(MAKE) --no-print-directory -j2 all $(HELPERS)
	$(Q)tests/bench/soak $(if $(MINUTES),-m $(MINUTES))

bench-sessions: deps
	$(Q)$(MAKE) --no-print-directory -j2 all $(HELPERS)
	$(Q)tests/bench/sessions $(CPUS)

# --- the rest ---------------------------------------------------------------------------------------------------------

install: deps
	$(Q)$(MAKE) --no-print-directory all
	install -D -m 755 build/aa-steerd $(DESTDIR)$(SBINDIR)/aa-steerd
	install -D -m 755 build/aa-steer $(DESTDIR)$(BINDIR)/aa-steer
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man8 docs/man/aa-steer.8 docs/man/aa-steerd.8
	install -D -m 644 -t $(DESTDIR)$(MANDIR)/man5 docs/man/aa-steer.yaml.5
	install -d $(DESTDIR)$(UNITDIR)
	sed 's|@SBINDIR@|$(SBINDIR)|g' dist/aa-steerd.service > $(DESTDIR)$(UNITDIR)/aa-steerd.service
	chmod 644 $(DESTDIR)$(UNITDIR)/aa-steerd.service
	install -D -m 644 dist/aa-steer.bash $(DESTDIR)$(BASHDIR)/aa-steer

uninstall:
	rm -f $(DESTDIR)$(SBINDIR)/aa-steerd $(DESTDIR)$(BINDIR)/aa-steer $(DESTDIR)$(UNITDIR)/aa-steerd.service \
		$(DESTDIR)$(BASHDIR)/aa-steer $(DESTDIR)$(MANDIR)/man8/aa-steer.8 $(DESTDIR)$(MANDIR)/man8/aa-steerd.8 $(DESTDIR)$(MANDIR)/man5/aa-steer.yaml.5

fmt:
	$(Q)clang-format -i $(shell git ls-files '*.c' '*.h')

clean:
	$(Q)rm -rf build

-include $(shell find build -name '*.d' 2>/dev/null)
