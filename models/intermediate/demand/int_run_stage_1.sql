{{ run_stage('int_run_calls', 'same') }}
