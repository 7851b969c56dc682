{{ run_stage('int_run_stage_2', 'turn') }}
