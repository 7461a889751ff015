# SPDX-License-Identifier: MIT
# Flags of everything that is compiled here. Those that change a struct's layout must reach the
# C specs too, so they are set for the folder, not for one target.
set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
add_compile_definitions(_GNU_SOURCE)
add_compile_options(-Wall -Wextra -Wshadow -Wconversion -fno-semantic-interposition)
if(WEFT_WERROR)
  add_compile_options(-Werror)
endif()
if(WEFT_DEBUG)
  add_compile_definitions(WEFT_DEBUG=1)
endif()
if(WEFT_TORTURE)
  add_compile_definitions(WEFT_TORTURE=1)
endif()
# Lua's memory too from malloc, where valgrind and the sanitizers watch it.
if(WEFT_TORTURE OR WEFT_SANITIZE)
  add_compile_definitions(WEFT_LUA_MALLOC=1)
endif()
if(WEFT_SANITIZE)
  add_compile_options(-fsanitize=${WEFT_SANITIZE} -fno-sanitize-recover=all
                      -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${WEFT_SANITIZE})
endif()
# Errors and yields leave C functions without their end, which tsan would have to hear of: it takes
# them for deeper and deeper calls, tells nonsense about where it is, and keeps a stack for each
# allocation, without end. So it is not told of their beginning either.
if(WEFT_SANITIZE STREQUAL "thread" AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  add_compile_options(--param=tsan-instrument-func-entry-exit=0)
endif()

# Fat objects: the installed libweft.a also serves clang, and links without -flto.
if(WEFT_LTO AND CMAKE_C_COMPILER_ID STREQUAL "GNU")
  include(CheckIPOSupported)
  check_ipo_supported(RESULT CMAKE_INTERPROCEDURAL_OPTIMIZATION LANGUAGES C)
  set(CMAKE_C_COMPILE_OPTIONS_IPO -flto=auto -ffat-lto-objects)
endif()

find_program(CCACHE ccache)
if(CCACHE AND NOT CMAKE_C_COMPILER_LAUNCHER)
  set(CMAKE_C_COMPILER_LAUNCHER ${CCACHE})
endif()
