SELECT CAST(MAKE_DATE(f.year, f.month, f.day) AS TIMESTAMP) AS flight_day,
       f.time_hour,
       f.carrier,
       f.flight,
       f.tailnum,
       f.origin,
       f.dest,
       f.dep_delay,
       f.arr_delay,
       f.air_time,
       f.distance,
       f.dep_time IS NULL AS is_cancelled
FROM (
    SELECT year, month, day, dep_time, sched_dep_time, dep_delay, arr_delay, carrier, flight, tailnum, origin, dest,
           air_time, distance, time_hour
    FROM lake__ewr__ops.flights
    UNION ALL
    SELECT year, month, day, dep_time, sched_dep_time, dep_delay, arr_delay, carrier, flight, tailnum, origin, dest,
           air_time, distance, time_hour
    FROM lake__jfk__ops.flights
    UNION ALL
    SELECT year, month, day, dep_time, sched_dep_time, dep_delay, arr_delay, carrier, flight, tailnum, origin, dest,
           air_time, distance, time_hour
    FROM lake__lga__ops.flights
) AS f
