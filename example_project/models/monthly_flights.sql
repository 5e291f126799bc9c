SELECT DATE_TRUNC('month', flight_day) AS flight_month,
       origin,
       COUNT(*) AS days,
       SUM(flights) AS flights,
       SUM(cancelled) AS cancelled
FROM marts.daily_flights
GROUP BY 1, 2
