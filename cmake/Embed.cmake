# steno_embed(TARGET FILE SYMBOL): compiles the bytes of FILE into TARGET as `const char SYMBOL[]`, NUL-terminated,
# with `const size_t SYMBOL_size` (without the NUL).
function(steno_embed target file symbol)
  get_filename_component(source ${file} ABSOLUTE)
  set(generated ${CMAKE_CURRENT_BINARY_DIR}/${symbol}.c)
  add_custom_command(
    OUTPUT ${generated}
    COMMAND ${CMAKE_COMMAND} -DSOURCE=${source} -DOUTPUT=${generated} -DSYMBOL=${symbol} -P
            ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake
    DEPENDS ${source} ${PROJECT_SOURCE_DIR}/cmake/EmbedFile.cmake
    VERBATIM)
  target_sources(${target} PRIVATE ${generated})
endfunction()
