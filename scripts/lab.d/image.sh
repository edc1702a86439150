# SPDX-License-Identifier: GPL-2.0-or-later
#
# What the machines boot from.  Cached for all clones, made from the root once:
#   machine-KEY/disk.img             the root as an ext4 image, never written to
#   machine-KEY/{stable,next}/       vmlinuz, and modules.cpio with what finds the disk
# Made for this tree below build/lab:
#   bin/                             the lab's own programs
#   stage/                           superdev as installed, modules.dep of both kernels included
#   initrd.{stable,next}             modules.cpio + the machine's init + stage
# shellcheck shell=bash

IMAGE_SIZE=8G

# image_dir: prints the cache entry of the image, making it first if need be.
image_dir()
{
	local root entry

	root=$(root_dir) || return
	entry=$LAB_CACHE/machine-$({ basename "$root"; cat "$LAB_D/root.d/image"; echo "$IMAGE_SIZE"; } | hash_of)
	[[ -e $entry/disk.img ]] || with_lock machine image_build "$entry" >&2 || return
	: >"$entry/used"
	echo "$entry"
}

image_build()
{
	local entry=$1 tmp=$LAB_BUILD/tmp.image

	[[ ! -e $entry/disk.img ]] || return 0
	rm -rf "$tmp" && mkdir -p "$tmp" || return
	progress "making the machines' disk image (once, about half a minute)" \
		"$LAB_BUILD/log/image.log" \
		root_exec scripts/lab.d/root.d/image /src/build/lab/tmp.image "$IMAGE_SIZE" \
		"$(root_kernel stable)" "$(root_kernel next)" ||
		die "no disk image"
	rm -rf "$entry" "$entry.tmp"
	mv -T "$tmp" "$entry.tmp" && mv -T "$entry.tmp" "$entry"	# the first may be a copy
}


# tools_build: the lab's own programs, static, so that they run on any host and before the root.
tools_build()
{
	local key

	key=$(cat "$LAB_D"/frame.h "$LAB_D"/guest/*.[ch] "$LAB_D"/host/*.c "$LAB_D/image.sh" | hash_of)
	[[ $(cat "$LAB_BUILD/bin/key" 2>/dev/null) != "$key" ]] || return 0
	mkdir -p "$LAB_BUILD/bin"
	# shellcheck disable=SC2016
	progress "compiling the lab's programs" "$LAB_BUILD/log/tools.log" root_exec sh -euc '
		cd scripts/lab.d
		out=/src/build/lab/bin
		flags="-O2 -static -Wall -Wextra -Wshadow -Werror"
		for name in keeper client switch; do
			gcc $flags -o $out/$name.new host/$name.c
			mv $out/$name.new $out/$name
		done
		gcc $flags -o $out/init.new guest/*.c
		mv $out/init.new $out/init' ||
		die "the lab's programs do not compile"
	echo "$key" >"$LAB_BUILD/bin/key"
}

# project_build: superdev for both kernels, installed into build/lab/stage.
project_build()
{
	local stamp=$LAB_BUILD/stage.stamp newer

	newer=$(cd "$LAB_TREE" && find . \( -path ./build -o -path ./.git -o -path ./scripts \
		-o -path ./tests \) -prune -o -newer "$stamp" -print -quit 2>&1)
	[[ ! $newer && $(cat "$stamp" 2>/dev/null) == "$(root_key)" && -d $LAB_BUILD/stage ]] ||
		project_rebuild "$stamp"
}

project_rebuild()
{
	local stamp=$1

	root_key >"$stamp.new"
	progress "compiling superdev for both kernels" "$LAB_BUILD/log/project.log" \
		root_exec scripts/lab.d/root.d/project "$(root_kernel stable)" "$(root_kernel next)" ||
		die "superdev does not compile"
	mv "$stamp.new" "$stamp"
}


# initrd_build KERNEL with|without: build/lab/initrd.KERNEL, with superdev or without.
initrd_build()
{
	local kernel=$1 superdev=$2 image

	image=$(image_dir) || return
	root_exec scripts/lab.d/root.d/initrd "$kernel" "$(root_kernel "$kernel")" "$superdev" ||
		die "no initramfs"
	cat "$image/$kernel/modules.cpio" "$LAB_BUILD/tree.cpio.$kernel" \
		>"$LAB_BUILD/initrd.$kernel.new" &&
		mv "$LAB_BUILD/initrd.$kernel.new" "$LAB_BUILD/initrd.$kernel" &&
		rm "$LAB_BUILD/tree.cpio.$kernel"
}
