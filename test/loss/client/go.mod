module wirespan.invalid/client

go 1.21

require wirespan.invalid/correlate v0.0.0

replace wirespan.invalid/correlate => ../../../correlate/go
