# SPDX-License-Identifier: MIT
# spec/c/*_test.c see the runtime's own headers; spec/embed/*.c are ordinary clients of libweft.
enable_testing()
file(GLOB c_tests CONFIGURE_DEPENDS spec/c/*_test.c)
file(GLOB c_support CONFIGURE_DEPENDS spec/c/*.c)
file(GLOB embed_tests CONFIGURE_DEPENDS spec/embed/*.c)
list(REMOVE_ITEM c_support ${c_tests})

# add_spec(<folder> <source> <library>): the program <folder>/<name> of the build tree. Without
# LTO: it would optimise the whole library again for every program. (Unless the linker is told, its
# plugin does so for whatever has LTO's sections.)
function(add_spec folder source library)
  cmake_path(GET source STEM name)
  set(target spec_${folder}_${name})
  add_executable(${target} ${source} ${ARGN})
  set_target_properties(
    ${target} PROPERTIES OUTPUT_NAME ${name} INTERPROCEDURAL_OPTIMIZATION OFF
                         RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/spec/${folder})
  if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_link_options(${target} PRIVATE -fno-lto)
  endif()
  target_link_libraries(${target} PRIVATE ${library} Threads::Threads)
  add_test(NAME ${folder}/${name} COMMAND ${target} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
endfunction()

foreach(source IN LISTS c_tests)
  add_spec(c ${source} weft_static ${c_support})
  cmake_path(GET source STEM name)
  target_include_directories(spec_c_${name} PRIVATE runtime spec/c)
endforeach()
foreach(source IN LISTS embed_tests)
  add_spec(embed ${source} weft_shared)
endforeach()

# spec/model: the lock-free rooms as they are shipped, over a memory in which all can happen. One
# thread, and optimised in every tree: sanitizers have nothing to find there. Rooms with plain data
# are watched (spec/model/watch.h): tsan's calls, which a program can have only once, so its own
# tree has no models.
if(NOT WEFT_SANITIZE MATCHES "thread")
  file(GLOB model_specs CONFIGURE_DEPENDS spec/model/*_model.c)
  file(GLOB model_support CONFIGURE_DEPENDS spec/model/*.c)
  set(model_watched ${PROJECT_SOURCE_DIR}/spec/model/users.c)
  list(REMOVE_ITEM model_support ${model_specs} ${model_watched})
  add_library(
    weft_model OBJECT
    ${model_support} runtime/base/mem.c runtime/sched/deque.c runtime/sched/inbox.c
    runtime/sched/idle.c runtime/task/claim.c)
  add_library(
    weft_model_watched STATIC
    ${model_watched} runtime/conc/ring.c runtime/conc/shared.c runtime/conc/wait_all.c
    runtime/task/message.c runtime/task/remote.c runtime/task/scalar.c)
  set(model_definitions WF_ATOMIC_SHIM="${PROJECT_SOURCE_DIR}/spec/model/shim.h" WEFT_DEBUG=1
                        WEFT_TORTURE=1)
  # LuaJIT's headers: also for clang-tidy (clang_tidy.h).
  set(model_includes runtime spec/model ${LUAJIT_INCLUDE_DIRS} ${LIBUV_INCLUDE_DIRS}
                     ${CARES_INCLUDE_DIRS})
  foreach(source IN LISTS model_specs)
    add_spec(model ${source} weft_model)
    cmake_path(GET source STEM name)
    list(APPEND model_targets spec_model_${name})
    target_link_libraries(spec_model_${name} PRIVATE weft_model_watched)
    if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
      target_link_options(spec_model_${name} PRIVATE
                          -Wl,--wrap=memcpy,--wrap=memmove,--wrap=memset)
    endif()
  endforeach()
  if(CMAKE_C_COMPILER_ID STREQUAL "Clang")
    list(APPEND model_definitions MODEL_WRAPS=1)
  endif()
  foreach(target IN LISTS model_targets ITEMS weft_model weft_model_watched)
    target_compile_options(${target} PRIVATE -O2 -fno-sanitize=all)
    target_compile_definitions(${target} PRIVATE ${model_definitions})
    target_include_directories(${target} PRIVATE ${model_includes})
  endforeach()
  target_compile_options(weft_model_watched PRIVATE -fsanitize=thread)
endif()

# spec/fuzz/*.c are targets of libFuzzer, which is clang's: the runtime once more, instrumented.
if(CMAKE_C_COMPILER_ID STREQUAL "Clang" AND NOT WEFT_SANITIZE)
  file(GLOB fuzz_targets CONFIGURE_DEPENDS spec/fuzz/*.c)
  add_library(weft_fuzz STATIC ${runtime_sources} ${embedded} spec/c/two_vms.c)
  target_compile_definitions(weft_fuzz PRIVATE WEFT_VERSION="${PROJECT_VERSION}")
  target_compile_options(weft_fuzz PUBLIC -fsanitize=fuzzer-no-link,address)
  target_include_directories(weft_fuzz PUBLIC runtime runtime/include)
  target_link_libraries(weft_fuzz PUBLIC PkgConfig::LUAJIT PkgConfig::LIBUV PkgConfig::CARES
                                         Threads::Threads m ${CMAKE_DL_LIBS})
  foreach(source IN LISTS fuzz_targets)
    cmake_path(GET source STEM name)
    add_executable(spec_fuzz_${name} ${source})
    set_target_properties(
      spec_fuzz_${name} PROPERTIES OUTPUT_NAME ${name}
                                   RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/spec/fuzz)
    target_link_options(spec_fuzz_${name} PRIVATE -fsanitize=fuzzer,address)
    target_link_libraries(spec_fuzz_${name} PRIVATE weft_fuzz)
  endforeach()
endif()
