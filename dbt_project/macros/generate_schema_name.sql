{# One schema for all models: the profile's. Folders carry the meaning, schemas carry the grants. #}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ target.schema }}
{%- endmacro %}
