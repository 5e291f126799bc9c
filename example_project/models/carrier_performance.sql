SELECT f.carrier,
       a.name AS carrier_name,
       COUNT(*) AS flights,
       SUM(CASE WHEN f.is_cancelled THEN 1 ELSE 0 END) AS cancelled,
       AVG(f.dep_delay) AS mean_dep_delay,
       AVG(f.arr_delay) AS mean_arr_delay
FROM staging.stg_flights AS f
JOIN lake__all__ref.airlines AS a ON a.carrier = f.carrier
GROUP BY f.carrier, a.name
