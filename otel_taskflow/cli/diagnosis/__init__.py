"""What the doctor looks at: each check reads, changes nothing, and gives findings."""
