{{ united('stg', 'events', staged_columns()) }}
