# SPDX-License-Identifier: GPL-2.0-or-later
#
#	make			agent, worker, CLI and the modules for this kernel
#	make modules KVERS="…"	modules for other installed kernels
#	make bpf		policies, with clang; one object for all kernels
#	make install DESTDIR=	all of it
#	make unit | fuzz	tests that are plain processes (scripts/test runs them)
#	make check		sparse, checkpatch, clang-tidy, format
#	make deb		Debian packages, the modules by DKMS
#
# Every product lands below build/.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:

VERSION := 0.1.0
O ?= build
# make V=1 shows whole command lines.
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-7s %s\n' $(1) $(2))

# Userspace --------------------------------------------------------------

CC ?= cc
CLANG ?= clang
BPFTOOL ?= bpftool
CFLAGS ?= -O2 -g
PKGS := libbpf liburing libnl-3.0 libnl-genl-3.0 gnutls libseccomp libkmod json-c libcap libxxhash
# Evaluated once, and only by what compiles: make modules needs none of them.
PKG_CFLAGS = $(eval PKG_CFLAGS := $$(shell pkg-config --cflags $(PKGS)))$(PKG_CFLAGS)
PKG_LIBS = $(eval PKG_LIBS := $$(shell pkg-config --libs $(PKGS)))$(PKG_LIBS)

# What one program alone links.
LIBS_superdev-homefs = $(shell pkg-config --libs fuse3) -pthread
%/agent/homefs/mount_fuse.o: OUR_CFLAGS += $(shell pkg-config --cflags fuse3)

OUR_CFLAGS = -std=gnu17 -D_GNU_SOURCE -DSDV_VERSION='"$(VERSION)"' \
	-Iuapi -Iagent/lib -Wall -Wextra -Wshadow -Wstrict-prototypes -Werror \
	-MMD -MP $(PKG_CFLAGS)
HARDEN := -fPIE -fstack-protector-strong -D_FORTIFY_SOURCE=2
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
SAN := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Static: it is started in the environment of a user's program, where LD_PRELOAD is that program's;
# and it starts faster.
LINK_superdev-deputy := -static-pie -Wl,-z,relro,-z,now
ONLY_LIBS_superdev-deputy := -lxxhash

# What serves a guest is started anew for each.
LINK_superdev-guest := -static-pie -Wl,-z,relro,-z,now
ONLY_LIBS_superdev-guest := -lxxhash -lseccomp -lcap

LIB_SRC := $(wildcard agent/lib/*.c)
PROGRAMS := superdevd superdev-worker superdev-homefs superdev-deputy superdev-guest superdev
SRC_superdevd := $(wildcard agent/daemon/*.c)
SRC_superdev-worker := $(wildcard agent/worker/*.c)
SRC_superdev-homefs := $(wildcard agent/homefs/*.c)
SRC_superdev := $(wildcard agent/cli/*.c)
SRC_superdev-deputy := $(wildcard agent/task/deputy*.c) agent/task/pump.c agent/task/proto.c agent/task/proto_remote.c
SRC_superdev-guest := $(wildcard agent/task/guest*.c) agent/task/relay_tty.c agent/task/pump.c agent/task/proto.c agent/task/proto_remote.c

.PHONY: all agent modules bpf bpf-tests install install-agent install-bpf install-modules unit fuzz attack native san check deb clean
all: agent modules bpf
agent: $(PROGRAMS:%=$(O)/%)

$(O)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(OUR_CFLAGS) $(HARDEN) $(CFLAGS) -c -o $@ $<
$(O)/san/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(OUR_CFLAGS) $(SAN) -c -o $@ $<
$(O)/fuzz/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CLANG,$@)
	$(Q)$(CLANG) $(OUR_CFLAGS) -O1 -g -fsanitize=fuzzer-no-link,address,undefined \
		-fno-sanitize-recover=all -c -o $@ $<

# What is made by a program of ours.
$(O)/gen/guestfilter: agent/gen/guestfilter.c Makefile
	@mkdir -p $(@D)
	$(call say,CC,$@)
	$(Q)$(CC) $(OUR_CFLAGS) $(CFLAGS) -o $@ $< -lseccomp
$(O)/gen/guestfilter.h: $(O)/gen/guestfilter
	$(call say,GEN,$@)
	$(Q)$< >$@.tmp && mv $@.tmp $@
$(foreach flavour,obj san fuzz,$(O)/$(flavour)/agent/lib/guestbox.o): $(O)/gen/guestfilter.h
$(O)/%/agent/lib/guestbox.o: OUR_CFLAGS += -I$(O)/gen

define archive
$(O)/$(1)/libsuperdev.a: $$(LIB_SRC:%.c=$(O)/$(1)/%.o)
	@rm -f $$@
	$(Q)ar rcs $$@ $$^
endef
$(foreach flavour,obj san fuzz,$(eval $(call archive,$(flavour))))

define program
$(O)/$(1): $$(SRC_$(1):%.c=$(O)/obj/%.o) $(O)/obj/libsuperdev.a
	$$(call say,LD,$$@)
	$(Q)$$(CC) $$(or $$(LINK_$(1)),$$(HARDEN_LD)) $$(LDFLAGS) -o $$@ $$^ $$(or $$(ONLY_LIBS_$(1)),$$(PKG_LIBS)) $$(LIBS_$(1))
$(O)/san/$(1): $$(SRC_$(1):%.c=$(O)/san/%.o) $(O)/san/libsuperdev.a
	$$(call say,LD,$$@)
	$(Q)$$(CC) $$(SAN) -o $$@ $$^ $$(PKG_LIBS) $$(LIBS_$(1))
endef
$(foreach p,$(PROGRAMS),$(eval $(call program,$(p))))

# The programs with sanitizers, for tests.
san: $(PROGRAMS:%=$(O)/san/%)

# Tests that are plain processes.  A line "// LINK: FILE.c …" in a test's
# source names what it needs beside the library.
UNIT := $(patsubst %.c,$(O)/san/%,$(wildcard tests/unit/*_test.c))
FUZZ := $(patsubst %.c,$(O)/fuzz/%,$(wildcard tests/fuzz/*_fuzz.c))
NATIVE := $(patsubst %.c,$(O)/obj/%,$(wildcard tests/native/*_test.c))
ATTACK := $(patsubst %.c,$(O)/obj/%,$(wildcard tests/attack/*_attack.c))
linked = $(shell sed -nE 's,^(//| [*]) LINK: ,,p' $(1))

define test
$(O)/$(2)/$(1:.c=): $(O)/$(2)/$(1:.c=.o) $(patsubst %.c,$(O)/$(2)/%.o,$(call linked,$(1))) $(O)/$(2)/libsuperdev.a
	$$(call say,LD,$$@)
	$(Q)$$(LINK_$(2)) -o $$@ $$^ $$(PKG_LIBS)
endef
# How each flavour links; in variables, because call splits at commas.
LINK_san = $(CC) $(SAN)
LINK_fuzz = $(CLANG) -fsanitize=fuzzer,address,undefined
LINK_obj = $(CC) $(HARDEN_LD)
$(foreach t,$(wildcard tests/unit/*_test.c),$(eval $(call test,$(t),san)))
$(foreach t,$(wildcard tests/fuzz/*_fuzz.c),$(eval $(call test,$(t),fuzz)))
$(foreach t,$(wildcard tests/attack/*_attack.c tests/native/*_test.c tests/system/*.c tests/kernel/*.c),$(eval $(call test,$(t),obj)))
unit: $(UNIT)
fuzz: $(FUZZ)
# A guest is attacked from in the programs themselves.
attack: $(ATTACK) $(O)/superdev-deputy $(O)/superdev-guest
# They run the programs of the san flavour.
native: $(NATIVE) $(O)/san/superdev-homefs

# Modules ----------------------------------------------------------------

# Kbuild writes beside its sources: each kernel gets a mirror of them.
KVERS ?= $(shell uname -r)
KERNEL_SRC := Kbuild $(shell find kernel uapi -name '*.[ch]')
KDIR_of = $(or $(KDIR),/lib/modules/$(1)/build)

define modules
$(O)/modules/$(1)/.built: $$(KERNEL_SRC)
	@mkdir -p $$(@D)
	@cp -u --preserve=timestamps --parents $$(KERNEL_SRC) $$(@D)/
	+$$(MAKE) -C $$(call KDIR_of,$(1)) M=$$(abspath $$(@D)) $$(KBUILD_ARGS) modules
	@scripts/check-btf $$(call KDIR_of,$(1)) $$(@D)/*.ko
	@touch $$@
endef
$(foreach kv,$(KVERS),$(eval $(call modules,$(kv))))
modules: $(foreach kv,$(KVERS),$(O)/modules/$(kv)/.built)

# BPF --------------------------------------------------------------------

# No types of one kernel: the sources name the members they read, and the loader
# finds them.  The multiarch folder has asm/types.h.
BPF_CFLAGS := -O2 -g -target bpf -mcpu=v3 -Wall -Wextra -Werror -Wno-unused-parameter \
	-Iuapi -Ibpf/policy -Ibpf/affinity
BPF_CFLAGS += -idirafter /usr/include/$(shell $(CC) -dumpmachine)
BPF := $(patsubst bpf/policy/%.bpf.c,$(O)/bpf/%.bpf.o,$(wildcard bpf/policy/*.bpf.c))
BPF_TOOLS := $(O)/bpf/affinity.bpf.o
BPF_TESTS := $(patsubst tests/bpf/%.bpf.c,$(O)/bpf/tests/%.bpf.o,$(wildcard tests/bpf/*.bpf.c))

define bpf_object
	@mkdir -p $(@D)
	$(call say,BPF,$@)
	$(Q)$(CLANG) $(BPF_CFLAGS) -MMD -MP -c -o $@ $<
endef
$(O)/bpf/%.bpf.o: bpf/policy/%.bpf.c Makefile
	$(bpf_object)
$(O)/bpf/%.bpf.o: bpf/affinity/%.bpf.c Makefile
	$(bpf_object)
$(O)/bpf/tests/%.bpf.o: tests/bpf/%.bpf.c Makefile
	$(bpf_object)

# What the agent loads by itself is part of it.
$(O)/bpf/meter.bpf.o: bpf/meter/meter.bpf.c Makefile
	$(bpf_object)
$(O)/bpf/guard.bpf.o: bpf/guard/guard.bpf.c Makefile
	$(bpf_object)
$(O)/bpf/%.skel.h: $(O)/bpf/%.bpf.o
	$(call say,SKEL,$@)
	$(Q)$(BPFTOOL) gen skeleton $< >$@.tmp && mv $@.tmp $@
$(foreach flavour,obj san fuzz,$(O)/$(flavour)/agent/lib/bpf_attach.o): $(O)/bpf/meter.skel.h $(O)/bpf/guard.skel.h
$(foreach flavour,obj san fuzz,$(O)/$(flavour)/agent/lib/bpf_attach.o): OUR_CFLAGS += -I$(O)/bpf -Ibpf/guard
bpf: $(BPF) $(BPF_TOOLS)
bpf-tests: $(BPF_TESTS)

# Installation -----------------------------------------------------------

DESTDIR ?=
PREFIX ?= /usr
# Where /lib is a link, nothing may be installed through it into a DESTDIR.
MODULES_ROOT ?= $(if $(shell test -L /lib && echo merged),/usr)/lib/modules
install: install-agent install-bpf install-modules

install-agent: agent
	install -D -m 755 $(O)/superdevd $(DESTDIR)$(PREFIX)/sbin/superdevd
	install -D -m 755 $(O)/superdev $(DESTDIR)$(PREFIX)/bin/superdev
	install -D -m 755 $(O)/superdev-worker $(DESTDIR)$(PREFIX)/libexec/superdev/superdev-worker
	install -D -m 755 $(O)/superdev-homefs $(DESTDIR)$(PREFIX)/libexec/superdev/superdev-homefs
	install -D -m 755 $(O)/superdev-deputy $(DESTDIR)$(PREFIX)/libexec/superdev/superdev-deputy
	install -D -m 755 $(O)/superdev-guest $(DESTDIR)$(PREFIX)/libexec/superdev/superdev-guest
	install -D -m 644 uapi/superdev.h $(DESTDIR)$(PREFIX)/include/superdev/superdev.h
	install -D -m 644 uapi/superdev_wire.h $(DESTDIR)$(PREFIX)/include/superdev/superdev_wire.h
	install -D -m 644 uapi/superdev_cpu.h $(DESTDIR)$(PREFIX)/include/superdev/superdev_cpu.h
	install -D -m 644 systemd/superdevd.service $(DESTDIR)$(PREFIX)/lib/systemd/system/superdevd.service
	install -D -m 644 udev/70-superdev.rules $(DESTDIR)$(PREFIX)/lib/udev/rules.d/70-superdev.rules
	install -D -m 644 completion/superdev $(DESTDIR)$(PREFIX)/share/bash-completion/completions/superdev
	install -d -m 755 $(DESTDIR)/etc/superdev
	for page in Documentation/man/*.[1-8]; do \
		install -D -m 644 $$page $(DESTDIR)$(PREFIX)/share/man/man$${page##*.}/$${page##*/}; done

install-bpf: bpf
	for object in $(BPF); do \
		install -D -m 644 $$object $(DESTDIR)$(PREFIX)/lib/superdev/policy/$${object##*/} || exit; done
	for object in $(BPF_TOOLS); do \
		install -D -m 644 $$object $(DESTDIR)$(PREFIX)/lib/superdev/$${object##*/} || exit; done
	install -D -m 644 bpf/policy/policy.bpf.h $(DESTDIR)$(PREFIX)/include/superdev/policy.bpf.h

install-modules: modules
	for kv in $(KVERS); do \
		install -d $(DESTDIR)$(MODULES_ROOT)/$$kv/updates && \
		install -m 644 $(O)/modules/$$kv/superdev*.ko $(DESTDIR)$(MODULES_ROOT)/$$kv/updates/ && \
		rm -f $(DESTDIR)$(MODULES_ROOT)/$$kv/updates/superdev*_test.ko || exit; done
	[ -n "$(DESTDIR)" ] || for kv in $(KVERS); do depmod $$kv; done

deb:
	scripts/make-deb $(O) $(VERSION)

# clang-tidy reads what is made of the meter and the guard, too.
check: $(O)/bpf/meter.skel.h $(O)/bpf/guard.skel.h
	scripts/check

clean:
	rm -rf $(O)/bpf $(O)/obj $(O)/san $(O)/fuzz $(O)/modules $(O)/deb $(PROGRAMS:%=$(O)/%)

-include $(shell find $(O)/bpf $(O)/obj $(O)/san $(O)/fuzz -name '*.d' 2>/dev/null)
