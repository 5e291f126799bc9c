SELECT p.manufacturer,
       p.model,
       COUNT(DISTINCT f.tailnum) AS planes,
       COUNT(*) AS flights,
       SUM(f.distance) AS miles
FROM staging.stg_flights AS f
JOIN lake__all__ref.planes AS p ON p.tailnum = f.tailnum
WHERE NOT f.is_cancelled
GROUP BY p.manufacturer, p.model
