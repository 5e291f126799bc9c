SELECT f.origin,
       CASE WHEN w.precip > 0 THEN 'rain or snow' WHEN w.visib < 3 THEN 'fog' ELSE 'fair' END AS conditions,
       COUNT(*) AS flights,
       SUM(CASE WHEN f.is_cancelled THEN 1 ELSE 0 END) AS cancelled,
       AVG(f.dep_delay) AS mean_dep_delay
FROM staging.stg_flights AS f
JOIN staging.stg_weather AS w ON w.origin = f.origin AND w.time_hour = f.time_hour
GROUP BY 1, 2
