# Made by nab. Draw again with: gnuplot 'confusion.gp'
# Other formats: set terminal svg | pdfcairo | pngcairo | cairolatex, and another ending for the output
set terminal svg size 511,413 dynamic noenhanced font 'Helvetica,12' background rgb 'white'
set output 'confusion.svg'
set encoding utf8
set datafile missing 'NaN'
set border 3 lc rgb '#667085'
set tics nomirror out scale 0.6
set xtics offset 0,0.3
set grid ytics lt 1 lw 0.7 lc rgb '#e4e7ec'
set lmargin at screen 0.1576
set rmargin at screen 0.7857
set bmargin at screen 0.1950
set tmargin at screen 0.9726
set label 1 'predicted class' at screen 0.4716, screen 0.0366 center
set label 2 'true class' at screen 0.0296, screen 0.5838 center rotate by 90
set cbrange [0:10]
set label 3 'share of the true class, %' at screen 0.9704, screen 0.5838 center rotate by 90
set colorbox user origin screen 0.8374, screen 0.1950 size screen 0.0296, screen 0.7775
set cbtics
set border 15 lw 0.7
unset grid
unset key
set xrange [-0.5:3.5]
set yrange [3.5:-0.5]
set cbtics ('0' 0, '1' 1, '5' 2.236, '10' 3.162, '25' 5, '50' 7.071, '100' 10)
set xtics rotate by 90 right scale 0 offset 0,0 font ',12'
set ytics scale 0 font ',12'
set palette defined (0 '#ffffff', 1 '#deebf7', 2 '#c6dbef', 3 '#9ecae1', 4 '#6baed6', 5 '#4292c6', 6 '#2171b5', 7 '#08519c', 8 '#08306b')
plot 'confusion.dat' index 0 using 1:2:($1-0.5):($1+0.5):($2-0.5):($2+0.5):(sqrt($3)) with boxxyerror fs solid 1 noborder lc palette, \
     'confusion.dat' index 1 using 1:2:3 with labels center tc rgb '#1c2330', \
     'confusion.dat' index 2 using 1:2:3 with labels center tc rgb '#ffffff', \
     'confusion.dat' index 3 using 1:(0):xtic(2) with lines lt nodraw, \
     'confusion.dat' index 3 using (0):1:ytic(2) with lines lt nodraw
