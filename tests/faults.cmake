# A short round of kill -9. `./dev faults` runs longer ones.
add_test(NAME faults_kill_9 COMMAND /usr/bin/python3 -B ${CMAKE_CURRENT_SOURCE_DIR}/faults/kill_9.py --seconds 20)
set_tests_properties(
  faults_kill_9 PROPERTIES TIMEOUT 300 LABELS faults ENVIRONMENT
                           "STENO_BIN=${CMAKE_BINARY_DIR}/bin;STENO_SOURCE=${PROJECT_SOURCE_DIR}")
