-- Run once by the postgres image when its volume is empty: one database a service, beside `minivess` itself.
CREATE DATABASE mlflow;
CREATE DATABASE marquez;
