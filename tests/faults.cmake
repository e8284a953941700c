# Faults at random, short rounds, the same ones each time: a failure is the doing of what was changed. `./dev faults` runs longer ones of kill_9, and each
# of them without --seed throws anew.
#
# steno_fault_test(NAME ARGUMENTS…): tests/faults/NAME.py with the real programs of this build.
function(steno_fault_test name)
  add_test(NAME faults_${name} COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/faults/${name}.py ${ARGN})
  set_tests_properties(
    faults_${name}
    PROPERTIES TIMEOUT 900 LABELS faults
               ENVIRONMENT
               "STENO_BIN=${CMAKE_BINARY_DIR}/bin;STENO_SOURCE=${PROJECT_SOURCE_DIR};FAULTS_SANITIZE=${STENO_SANITIZE}")
endfunction()

# The clock that jumps: preloaded, so without the sanitizers of the programs that it is loaded into.
add_library(clock_shim MODULE faults/clock_shim.c)
target_compile_definitions(clock_shim PRIVATE _GNU_SOURCE)
set_target_properties(clock_shim PROPERTIES PREFIX "" LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)

steno_fault_test(kill_9 --seconds 20 --seed 1)
steno_fault_test(disk)
steno_fault_test(stop)
steno_fault_test(clock)
steno_fault_test(damage --seed 1)
steno_fault_test(flood)
steno_fault_test(power --seed 1)

add_executable(crowd faults/crowd.c)
target_link_libraries(crowd PRIVATE steno_shared steno_flags)
set_target_properties(crowd PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
steno_fault_test(crowd)
