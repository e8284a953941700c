steno_unit_test(event steno_schema)
steno_unit_test(event_cut steno_schema)
steno_unit_test(spool steno_schema Threads::Threads)
steno_unit_test(place steno_schema)
