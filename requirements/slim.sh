#!/bin/sh
# Takes out of an environment what the service never loads, more than a quarter of it: sh slim.sh ENVIRONMENT
# Whether all still works tells `make images-check`.
set -eu
packages=$(echo "$1"/lib/python3*/site-packages)

# Tests of the packages.
find "$packages" -type d \( -name tests -o -name test \) -prune -exec rm -r {} +
# The runtime once more, for programs in C; Python's module has all of it inside.
rm -f "$packages"/onnxruntime/capi/libonnxruntime.so.*
# Symbols for debuggers. Libraries that packages bring along (*.libs) stay as they are.
find "$packages" \( -name '*.cpython-*.so' -o -name '*.abi3.so' \) -exec strip --strip-unneeded {} +
