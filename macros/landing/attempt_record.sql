{#-
    The attempt record: what `tokenest drain` says of one attempt at a phase. It shares the fields
    of the event record that it has use for (required: attempt); these are its own.
-#}
{% macro attempt_fields() %}
    {{ return([
        {'name': 'record_type', 'type': 'record_type'},
        {'name': 'session_id', 'type': 'text', 'required': 'attempt'},
        {'name': 'duration_seconds', 'type': 'number', 'required': 'attempt'},
        {'name': 'exit_code', 'type': 'whole'},
        {'name': 'events', 'type': 'whole', 'required': 'attempt'},
        {'name': 'zero_yield_reason', 'type': 'text'},
        {'name': 'failure_pattern', 'type': 'text'},
        {'name': 'fingerprint', 'type': 'text'},
        {'name': 'run_verdict', 'type': 'text'},
    ]) }}
{% endmacro %}

{#- The fields of both kinds of record. A record without record_type is an event. -#}
{% macro record_fields() %}
    {{ return(event_fields() + attempt_fields()) }}
{% endmacro %}
