module wirespan.invalid/correlate

go 1.21
