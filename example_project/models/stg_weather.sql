SELECT w.origin, w.time_hour, w.temp, w.humid, w.wind_speed, w.precip, w.visib
FROM (
    SELECT origin, time_hour, temp, humid, wind_speed, precip, visib
    FROM lake__ewr__wx.weather
    UNION ALL
    SELECT origin, time_hour, temp, humid, wind_speed, precip, visib
    FROM lake__jfk__wx.weather
    UNION ALL
    SELECT origin, time_hour, temp, humid, wind_speed, precip, visib
    FROM lake__lga__wx.weather
) AS w
