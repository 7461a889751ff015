# SPDX-License-Identifier: MIT
# The CMakeLists.txt of a stranger's project, for scripts/dev/install_check.sh: each program with
# the shared library, and the smallest one with the static library too, which is optimised as a
# whole each time.
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(weft 0.1 REQUIRED)
add_compile_definitions(_GNU_SOURCE)
foreach(program IN LISTS PROGRAMS)
  cmake_path(GET program STEM name)
  add_executable(${name} ${program})
  target_link_libraries(${name} PRIVATE weft::weft)
endforeach()
add_executable(static ${STATIC_PROGRAM})
target_link_libraries(static PRIVATE weft::static)
