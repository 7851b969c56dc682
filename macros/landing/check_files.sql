{#-
    Stops the build at a compressed telemetry file: split at its newlines it would be so many lines
    in quarantine. Runs on the list of files, before any of them is opened.
-#}
{% macro check_files(relation) %}
    {% if execute %}
        {% for file in run_query(
            "select source_file from " ~ relation ~ " where lower(source_file) like '%.gz'"
            ~ " or lower(source_file) like '%.zst' order by source_file limit 1"
        ).rows %}
            {% do exceptions.raise_compiler_error(
                'telemetry file ' ~ file['source_file'] ~ ' is compressed; nothing was changed in'
                ~ ' the database. Unpack it (gunzip, unzstd) or name other files in TOKENEST_TELEMETRY.'
            ) %}
        {% endfor %}
    {% endif %}
{% endmacro %}
