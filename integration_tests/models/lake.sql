select * from read_csv('data/lake.csv')
