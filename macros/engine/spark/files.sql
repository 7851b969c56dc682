{#- The completed tails alone: no row of Parquet can be changed. -#}
{% macro spark__note_landed(relation, listing, files) %}
    {% set completed = files | selectattr('has_torn_tail') | map(attribute='source_file') | list %}
    {% if completed %}
        {% do spark__delete_rows(
            relation,
            "coalesce(reject_reason, '') = 'torn_tail' and source_file in (" ~ text_literals(completed) ~ ')'
        ) %}
    {% endif %}
{% endmacro %}

{#- Parquet has no delete: what stays is written aside, and back. -#}
{% macro spark__delete_rows(relation, condition) %}
    {% if run_query('select 1 from ' ~ relation ~ ' where ' ~ condition ~ ' limit 1').rows %}
        {% set kept = relation ~ '__kept' %}
        {% do run_query('drop table if exists ' ~ kept) %}
        {% do run_query(
            'create table ' ~ kept ~ ' using parquet as select * from ' ~ relation ~ ' where not (' ~ condition ~ ')'
        ) %}
        {% do run_query('insert overwrite table ' ~ relation ~ ' select * from ' ~ kept) %}
        {% do run_query('drop table ' ~ kept) %}
    {% endif %}
{% endmacro %}

{#-
    The table that dbt holds writes the file, the first line in place of its heading. Not replaced
    as a whole: docs/scale.md says what follows.
-#}
{% macro spark__write_lines(query, path) %}
    {% set lines = run_query("select line from (" ~ query ~ ") order by line_position") %}
    {% set rest = lines.limit(1, lines.rows | length).rename([lines.rows[0]['line']]) %}
    {% do rest.to_csv(path, quoting=3, quotechar=none, delimiter='\x1f') %}
{% endmacro %}

{#- dbt-spark sets a seed's texts between quotes as they are; some hold a quote or a backslash. -#}
{% macro spark__load_csv_rows(model, agate_table) %}
    {%- set types = model['config'].get('column_types', {}) -%}
    {%- set query -%}
        insert into {{ this.render() }} values
        {%- for row in agate_table.rows %}
            (
                {%- for column in agate_table.column_names -%}
                    cast({{ 'null' if row[column] is none else text_literals([row[column] | string]) }}
                    as {{ types.get(column) or adapter.convert_type(agate_table, loop.index0) }})
                    {{- ', ' if not loop.last }}
                {%- endfor -%}
            ){{ ',' if not loop.last }}
        {%- endfor %}
    {%- endset -%}
    {% do run_query(query) %}
    {{ return(query) }}
{% endmacro %}
