# SPDX-License-Identifier: MIT
# The CMakeLists.txt of a stranger's project, for scripts/dev/install_check.sh: each program once
# with the shared and once with the static library.
cmake_minimum_required(VERSION 3.25)
project(consumer LANGUAGES C)
find_package(weft 0.1 REQUIRED)
add_compile_definitions(_GNU_SOURCE)
foreach(program IN LISTS PROGRAMS)
  cmake_path(GET program STEM name)
  add_executable(${name} ${program})
  target_link_libraries(${name} PRIVATE weft::weft)
  add_executable(${name}-static ${program})
  target_link_libraries(${name}-static PRIVATE weft::static)
endforeach()
