# SPDX-License-Identifier: MIT
# spec/c/*_test.c see the runtime's own headers; spec/embed/*.c are ordinary clients of libweft.
enable_testing()
file(GLOB c_tests CONFIGURE_DEPENDS spec/c/*_test.c)
file(GLOB c_support CONFIGURE_DEPENDS spec/c/*.c)
file(GLOB embed_tests CONFIGURE_DEPENDS spec/embed/*.c)
list(REMOVE_ITEM c_support ${c_tests})

# add_spec(<folder> <source> <library>): the program <folder>/<name> of the build tree. Without
# LTO: it would optimise the whole library again for every program.
function(add_spec folder source library)
  cmake_path(GET source STEM name)
  set(target spec_${folder}_${name})
  add_executable(${target} ${source} ${ARGN})
  set_target_properties(
    ${target} PROPERTIES OUTPUT_NAME ${name} INTERPROCEDURAL_OPTIMIZATION OFF
                         RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/spec/${folder})
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
