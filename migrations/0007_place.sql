-- Where the store lies, as the absolute links of its trees have it. Another place than the one it is opened at
-- tells that it was moved or copied.
ALTER TABLE store ADD COLUMN root BLOB;
