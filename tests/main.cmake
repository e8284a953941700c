steno_system_test(main_job)
