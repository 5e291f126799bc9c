SELECT f.origin,
       f.dest,
       p.name AS dest_name,
       COUNT(*) AS flights,
       AVG(f.air_time) AS mean_air_minutes,
       MAX(f.distance) AS distance
FROM staging.stg_flights AS f
LEFT JOIN lake__all__ref.airports AS p ON p.faa = f.dest
GROUP BY f.origin, f.dest, p.name
