SELECT flight_day,
       origin,
       COUNT(*) AS flights,
       SUM(CASE WHEN is_cancelled THEN 1 ELSE 0 END) AS cancelled,
       AVG(dep_delay) AS mean_dep_delay
FROM staging.stg_flights
WHERE flight_day >= @start_date AND flight_day < @end_date
GROUP BY 1, 2
