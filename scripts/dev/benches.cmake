# SPDX-License-Identifier: MIT
# What scripts/bench has in C: build/release/bench/NAME, made when it is asked for.
foreach(name load names uv)
  add_executable(bench_${name} EXCLUDE_FROM_ALL scripts/benches/c/${name}.c
                                                scripts/benches/c/common.c)
  set_target_properties(
    bench_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY
                                                 ${PROJECT_BINARY_DIR}/bench)
  target_link_libraries(bench_${name} PRIVATE Threads::Threads)
endforeach()
target_link_libraries(bench_uv PRIVATE PkgConfig::LIBUV)
