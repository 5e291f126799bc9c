SELECT rental_day,
       town,
       COUNT(*) AS rentals,
       SUM(minutes) AS minutes,
       SUM(price) AS revenue
FROM staging.stg_rentals
WHERE rental_day >= @start_date AND rental_day < @end_date
GROUP BY 1, 2
