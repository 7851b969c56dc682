{{ run_stage('int_run_stage_1', 'any') }}
