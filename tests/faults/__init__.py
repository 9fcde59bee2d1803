"""Faults put between an operator and what it speaks to, one by one, where a table says.

The operator is a process of this machine here, with the rights that the chart gives it, and all
it asks of the API server goes through a proxy. Cluster, Argo and Kafka are the real ones.
"""
