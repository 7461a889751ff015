# SPDX-License-Identifier: MIT
# What `cmake --install` gives. Nothing in it names the prefix, so a tree can be moved.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/weft)

install(TARGETS weft_host RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
install(
  TARGETS weft_static weft_shared
  EXPORT weft_targets
  ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR}
  LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(TARGETS weft_module LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR}/lua/5.1)
install(FILES runtime/include/weft.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
# The sources carry the LuaCATS annotations that editors read; they are not loaded from here.
install(DIRECTORY lua/weft DESTINATION ${CMAKE_INSTALL_DATADIR}/weft/lua FILES_MATCHING
        PATTERN "*.lua")

file(RELATIVE_PATH pc_to_prefix /prefix/${CMAKE_INSTALL_LIBDIR}/pkgconfig /prefix)
configure_file(scripts/dev/weft.pc.in weft.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/weft.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)

install(EXPORT weft_targets NAMESPACE weft:: DESTINATION ${package_dir})
configure_package_config_file(
  scripts/dev/weft-config.cmake.in weft-config.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(weft-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/weft-config.cmake
              ${PROJECT_BINARY_DIR}/weft-config-version.cmake DESTINATION ${package_dir})
