"""The console: pages for people at a desk, on a wall and on a phone.

Rendered on the server, readable without JavaScript. What is live is one part of each page, asked for again every few
seconds; where no answer comes, the page itself says that its figures are old.
"""
