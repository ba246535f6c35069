-- Run once by the PostgreSQL image, on an empty cluster: two users, so that the one that runs can make no table and
-- change nothing of the journal. psql reads both passwords from the secrets' files, so that none stands in a command.
\set owner_password `cat /run/secrets/owner_password`
\set store_password `cat /run/secrets/store_password`
CREATE ROLE porwatch_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE porwatch LOGIN PASSWORD :'store_password';
CREATE DATABASE porwatch OWNER porwatch_owner ENCODING 'UTF8' TEMPLATE template0;
\connect porwatch
-- Tables that an upgrade makes later too. The journal's own trigger refuses UPDATE, DELETE and TRUNCATE to everybody.
ALTER DEFAULT PRIVILEGES FOR ROLE porwatch_owner IN SCHEMA public
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO porwatch;
GRANT USAGE ON SCHEMA public TO porwatch;
GRANT CREATE ON SCHEMA public TO porwatch_owner;
