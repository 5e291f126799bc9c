SELECT stations.town,
       stations.station_id,
       stations.name,
       COUNT(rentals.rental_id) AS departures
FROM staging.stg_stations AS stations
LEFT JOIN staging.stg_rentals AS rentals ON rentals.from_station = stations.station_id
GROUP BY 1, 2, 3
