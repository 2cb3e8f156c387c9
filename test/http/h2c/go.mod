module wirespan.invalid/h2c

go 1.25
